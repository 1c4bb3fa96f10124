//! A data directory with an archive, segments and snapshots, in which bytes were changed or a file
//! is arbitrary: what is read of it is what was written, or refused; the auditor looks at it
//! without a panic, and what it calls clean opens.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use stockhold::test_util::audit;
use stockhold::{Receive, AccountKey, Ticket, Engine, EngineBuilder, ErrorKind, Line, Policy, Reserve};
use stockhold::clock::{ManualClock};
use stockhold::event::{Event};
use stockhold::reader::DirectoryReader;

/// Details that fill a segment with a few reservations.
const DETAILS: [u8; 6_000] = [7; 6_000];
const RESERVATIONS: usize = 50;

fn builder(dir: &Path) -> EngineBuilder {
    let clock = Arc::new(ManualClock::new(1_000));
    Engine::builder(dir).clock(clock).history(false).segment_bytes(128 << 10)
}

/// What a directory held before anything was changed.
struct Whole {
    files: Vec<(PathBuf, Vec<u8>)>,
    events: Vec<Event<'static>>,
}

fn whole() -> &'static Whole {
    static WHOLE: OnceLock<Whole> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fill(dir.path());
        let reader = DirectoryReader::open(dir.path()).expect("it reads");
        let events = reader.events(..).expect("it is kept").map(|event| event.expect("it reads").1);
        Whole { events: events.collect(), files: files(dir.path()) }
    })
}

fn fill(dir: &Path) {
    let engine = builder(dir).open().expect("an empty directory opens");
    let tea =
        engine.open_account(&AccountKey::stock("tea").expect("a valid key"), Policy::strict());
    let account = tea.expect("there is room");
    engine.receive(Receive::new(account, 1_000)).and_then(Ticket::wait).expect("it is received");
    for number in 0..RESERVATIONS {
        let lines = [Line { account, quantity: 1 }];
        let mut reserve = Reserve::new(&lines, 50).details(&DETAILS);
        reserve.confirm = number % 2 == 0;
        engine.reserve(reserve).and_then(Ticket::wait).expect("it is taken");
        if number % 20 == 19 {
            engine.checkpoint().expect("the disk works");
        }
    }
    while engine.status().archive_bytes == 0 {
        std::thread::yield_now();
    }
}

/// Every file that counts, by its path in the directory.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for part in ["archive", "journal", "checkpoint"] {
        for entry in fs::read_dir(dir.join(part)).expect("it is there") {
            let path = entry.expect("an entry").path();
            let name = Path::new(part).join(path.file_name().expect("a name"));
            if !name.to_string_lossy().contains("spare") {
                found.push((name, fs::read(&path).expect("it reads")));
            }
        }
    }
    found.sort();
    found
}

/// The first byte chooses a file and what happens to it: the rest of the input takes its place, or
/// each three bytes more flip bits somewhere in its beginning.
fn changed(input: &[u8]) -> Option<Vec<(PathBuf, Vec<u8>)>> {
    let (choice, rest) = input.split_first()?;
    let mut files = whole().files.clone();
    let at = usize::from(choice >> 1) % files.len();
    let bytes = &mut files[at].1;
    if choice & 1 == 0 {
        *bytes = rest.to_vec();
        return Some(files);
    }
    for change in rest.chunks_exact(3).take(64) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] ^= change[2];
    }
    Some(files)
}

fn write(dir: &Path, files: &[(PathBuf, Vec<u8>)]) {
    for (name, bytes) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().expect("it is in a directory")).expect("it is made");
        fs::write(path, bytes).expect("it is written");
    }
}

fn look_at_past(dir: &Path) {
    let reader = match DirectoryReader::open(dir) {
        Ok(reader) => reader,
        Err(error) => return assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
    };
    for event in reader.events(..).expect("what is kept can be asked for") {
        match event {
            Ok((seq, event)) => assert_eq!(event, whole().events[seq as usize - 1], "event {seq}"),
            Err(error) => return assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some(files) = changed(input) else { return };
    let dir = tempfile::tempdir().expect("a temporary directory");
    write(dir.path(), &files);
    let clean = audit(dir.path()).expect("it is a data directory that can be read");
    look_at_past(dir.path());
    match builder(dir.path()).open() {
        Ok(engine) => {
            for level in engine.levels() {
                let out = level.reserved + level.consumed + level.written_off;
                assert_eq!(level.received as i64, level.available + out as i64, "{level:?}");
            }
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert!(!clean, "the auditor called it clean: {error}");
        }
    }
});
