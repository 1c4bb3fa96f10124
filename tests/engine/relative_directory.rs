//! Would catch an engine whose files depend on where the process is: a directory that was named
//! relative to one place is the same one from every other. It has a process of its own, which it moves.

#![allow(clippy::disallowed_methods, reason = "the test looks at files")]

use stockhold::outcome::Changed;
use stockhold::reader::DirectoryReader;
use stockhold::{AccountKey, Engine, Policy, Receive};

use crate::alone::is_alone;

#[test]
fn a_process_that_goes_elsewhere_keeps_its_directory() -> stockhold::Result<()> {
    if !is_alone("relative_directory::a_process_that_goes_elsewhere_keeps_its_directory") {
        return Ok(());
    }
    let (home, elsewhere) =
        (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    std::env::set_current_dir(home.path()).expect("it is there");
    let engine = Engine::builder("data").segment_bytes(128 << 10).open()?;
    let tea = engine.open_account(&AccountKey::stock("tea")?, Policy::strict())?;
    let reader = {
        engine.receive(Receive::new(tea, 1))?.wait()?;
        DirectoryReader::open("data")?
    };
    std::env::set_current_dir(elsewhere.path()).expect("it is there");
    // More than two segments: the journal begins new ones.
    let note = "x".repeat(60_000);
    for _ in 0..10 {
        let received = engine.receive(Receive::new(tea, 1).note(&note))?.wait()?;
        assert!(matches!(received, Changed { .. }), "{received:?}");
    }
    engine.checkpoint()?;
    engine.claim("mirror")?.hold_from(1)?;
    engine.catch_up().wait()?;
    assert_eq!(reader.ledger_at(2)?.levels().len(), 1, "a look that was taken before goes on, too");
    let received = engine.level(tea)?.received;
    engine.close()?;
    assert_eq!(
        std::fs::read_dir(elsewhere.path()).expect("it reads").count(),
        0,
        "nothing was made where it is now"
    );
    let engine = Engine::builder(home.path().join("data")).open()?;
    assert_eq!(
        (engine.level(tea)?.received, engine.claims()),
        (received, vec!["mirror".to_owned()])
    );
    engine.close()
}
