//! Would catch what an engine leaves behind or takes for nothing: threads after a close, a
//! directory that is large though it is empty, and a list of accounts that holds up everybody. It
//! counts the threads of its process, and so has one of its own.

#![allow(clippy::disallowed_methods, reason = "the test looks at files and threads")]

use std::fs;
use std::path::Path;

use stockhold::outcome::Reserved;
use stockhold::{AccountKey, Engine, Line, Policy, Receive, Reserve, ReserveOutcome};

use crate::alone::is_alone;

/// sled keeps so many threads for the life of a process, however many databases it opens and
/// closes. They are idle, and nothing can end them: see docs/architecture.md.
const SLED_THREADS: usize = 7;

/// The names of this process's threads.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("the process has threads");
    let name = |task: fs::DirEntry| {
        fs::read_to_string(task.path().join("comm")).unwrap_or_default().trim().to_owned()
    };
    tasks.map(|task| name(task.expect("a thread is listed"))).collect()
}

fn bytes(dir: &Path) -> u64 {
    let files = fs::read_dir(dir)
        .expect("the directory is there")
        .map(|file| file.expect("it is listed").path());
    files
        .map(
            |path| {
                if path.is_dir() { bytes(&path) } else { path.metadata().map_or(0, |it| it.len()) }
            },
        )
        .sum()
}

#[test]
fn an_engine_takes_little_and_leaves_nothing() {
    if !is_alone("footprint::an_engine_takes_little_and_leaves_nothing") {
        return;
    }
    for _ in 0..3 {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = Engine::builder(dir.path()).open().expect("it opens");
        let keys: Vec<_> = (0..1_000)
            .map(|number| AccountKey::stock(&format!("p{number}")).expect("a key"))
            .collect();
        let opened: Vec<_> = keys
            .iter()
            .map(|key| engine.open_account(key, Policy::strict()).expect("there is room"))
            .collect();
        let tea = opened[0];
        engine
            .receive(Receive::new(tea, 10))
            .expect("it is received")
            .wait()
            .expect("it is durable");
        engine.catch_up().wait().expect("history follows");

        // Between two pages nothing is locked: this thread could not reserve otherwise.
        let mut listed = 0;
        for page in engine.level_pages() {
            assert!((1..=256).contains(&page.len()), "a page is short");
            listed += page.len();
            let lines = [Line { account: tea, quantity: 1 }];
            let outcome =
                engine.reserve(Reserve::new(&lines, 1_000)).expect("it is decided").outcome();
            assert!(matches!(
                outcome,
                ReserveOutcome::Reserved(Reserved { .. }) | ReserveOutcome::Refused(_)
            ));
        }
        assert_eq!((listed, engine.levels().len()), (1_000, 1_000));

        engine.close().expect("it closes");
        let (left, sled): (Vec<_>, Vec<_>) =
            threads().into_iter().partition(|name| !name.starts_with("sled-io"));
        let ours = ["stockhold", "journal", "store"];
        let left: Vec<_> = left
            .into_iter()
            .filter(|name| ours.iter().any(|prefix| name.starts_with(prefix)))
            .collect();
        assert_eq!(left, Vec::<String>::new(), "a closed engine has no threads");
        assert!(sled.len() <= SLED_THREADS, "{sled:?}");
        assert!(bytes(dir.path()) < 24 << 20, "{} bytes", bytes(dir.path()));
    }
}
