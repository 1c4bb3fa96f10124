//! A data directory in which bytes were changed opens with a prefix of what was acknowledged, or is
//! refused as corrupt; it never panics and never shows another state.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use stockhold::{Receive, AccountKey, Ticket, Engine, EngineBuilder, ErrorKind, Line, Policy, Reserve};
use stockhold::clock::{ManualClock};

const SEGMENT_BYTES: u64 = 128 << 10;
const RESERVATIONS: u64 = 20;

fn builder(dir: &Path) -> EngineBuilder {
    let clock = Arc::new(ManualClock::new(1_000));
    Engine::builder(dir)
        .clock(clock)
        .history(false)
        .segment_bytes(SEGMENT_BYTES)
        .archive_bytes_max(None)
}

/// The only segment of a directory in which reservations were acknowledged one by one.
fn segment() -> &'static (String, Vec<u8>) {
    static SEGMENT: OnceLock<(String, Vec<u8>)> = OnceLock::new();
    SEGMENT.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let engine = builder(dir.path()).open().expect("an empty directory opens");
        let tea =
            engine.open_account(&AccountKey::stock("tea").expect("a valid key"), Policy::strict());
        let account = tea.expect("there is room");
        engine
            .receive(Receive::new(account, 100))
            .and_then(Ticket::wait)
            .expect("it is received");
        for _ in 0..RESERVATIONS {
            let lines = [Line { account, quantity: 1 }];
            engine
                .reserve(Reserve::new(&lines, 50))
                .and_then(Ticket::wait)
                .expect("it is taken");
        }
        drop(engine);
        let journal = dir.path().join("journal");
        let names = fs::read_dir(&journal)
            .expect("the journal is there")
            .map(|entry| entry.expect("an entry").file_name());
        let name = names
            .filter_map(|name| name.into_string().ok())
            .find(|name| name.starts_with("segment"))
            .expect("a segment");
        let bytes = fs::read(journal.join(&name)).expect("the segment is there");
        (name, bytes)
    })
}

fuzz_target!(|input: &[u8]| {
    let (name, bytes) = segment();
    let mut bytes = bytes.clone();
    for change in input.chunks_exact(3).take(64) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % 16_384;
        bytes[at] ^= change[2];
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let journal = dir.path().join("journal");
    fs::create_dir(&journal).expect("it is created");
    fs::write(journal.join(name), bytes).expect("it is written");
    match builder(dir.path()).open() {
        Ok(engine) => {
            for level in engine.levels() {
                assert_eq!(level.received as i64, level.available + level.reserved as i64);
                assert!(
                    level.reserved <= RESERVATIONS
                        && engine.pending_count() as u64 == level.reserved
                );
            }
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
    }
});
