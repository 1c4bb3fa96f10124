//! Would catch a proof of loss that is thrown away, and a history of another directory that is
//! believed: what followed the journal and shows more than it has stops the opening, and what
//! followed another one is set aside.
#![allow(clippy::disallowed_methods, reason = "damage is done past the engine")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stockhold::clock::ManualClock;
use stockhold::history::ReservationRecord;
use stockhold::outcome::Reserved;
use stockhold::reader::DirectoryReader;
use stockhold::{
    AccountId, AccountKey, Engine, EngineBuilder, ErrorKind, Line, Policy, Receive, ReservationId,
    Reserve, ReserveOutcome, Seq,
};
use tempfile::TempDir;

use crate::support::{run, stockhold};

fn builder(dir: &Path) -> EngineBuilder {
    Engine::builder(dir).clock(Arc::new(ManualClock::new(1_000))).segment_bytes(128 << 10)
}

fn open(dir: &Path) -> Engine {
    builder(dir).open().expect("the directory opens")
}

fn tea(engine: &Engine) -> AccountId {
    engine
        .open_account(&AccountKey::stock("tea").expect("a valid key"), Policy::strict())
        .expect("there is room")
}

/// Sells so many times this quantity; answers the reservations.
fn sell(engine: &Engine, times: usize, quantity: u64) -> Vec<ReservationId> {
    let tea = tea(engine);
    engine
        .receive(Receive::new(tea, 1_000).note("delivery"))
        .and_then(|it| it.wait())
        .expect("it is received");
    let lines = [Line { account: tea, quantity }];
    let sold = (0..times).map(|_| {
        let outcome =
            engine.reserve(Reserve::new(&lines, 10_000).owner(tea)).and_then(|it| it.wait());
        let Ok(ReserveOutcome::Reserved(Reserved { reservation, .. })) = outcome else {
            panic!("there is enough: {outcome:?}")
        };
        engine.confirm(reservation).and_then(|it| it.wait()).expect("it is decided");
        reservation
    });
    sold.collect()
}

/// What history shows, as it is on disk.
fn orders(engine: &Engine) -> Vec<ReservationRecord> {
    engine.catch_up().wait().expect("history follows");
    engine.history().reservations_of(tea(engine), None, usize::MAX).expect("history reads")
}

/// Ends as a process that is killed does: without a checkpoint. History is on disk.
fn kill(engine: Engine) -> Seq {
    engine.catch_up().wait().expect("history follows");
    let last_seq = engine.durable_seq();
    drop(engine);
    last_seq
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("journal"))
        .expect("it is there")
        .map(|entry| entry.expect("it reads").path());
    let is_segment = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("segment-"))
    };
    let mut segments: Vec<_> = entries.filter(is_segment).collect();
    segments.sort();
    segments
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it is made");
    for entry in fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it reads");
        if entry.file_type().expect("it reads").is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("it is copied");
        }
    }
}

/// A directory whose second opening sold 20 times; the last event of the first one.
fn two_lives() -> (TempDir, Seq) {
    let dir = TempDir::new().expect("a directory");
    let engine = open(dir.path());
    sell(&engine, 3, 1);
    let kept_seq = kill(engine);
    let engine = open(dir.path());
    sell(&engine, 20, 2);
    kill(engine);
    (dir, kept_seq)
}

#[track_caller]
fn check_refused(dir: &Path, kept_seq: Seq, shown: &str) {
    let refused = builder(dir).open().expect_err("acknowledged records are missing");
    assert_eq!(refused.kind(), ErrorKind::Corrupt, "{refused}");
    for part in [
        &format!("ends at record {kept_seq}"),
        shown,
        "acknowledged records are missing",
        "--accept-loss",
    ] {
        assert!(refused.to_string().contains(part), "{part:?} is not in: {refused}");
    }
}

fn verify(dir: &Path) -> (i32, String) {
    let (code, printed, log) =
        run(&mut stockhold(&["verify", dir.to_str().expect("a path in UTF-8")]));
    (code, printed + &log)
}

#[test]
fn a_journal_that_lost_what_history_shows_is_refused_until_somebody_accepts_that_by_name() {
    for zeroed in [false, true] {
        let (dir, kept_seq) = two_lives();
        let dir = dir.path();
        let newest = segments(dir).pop().expect("there are two");
        match zeroed {
            true => {
                let mut bytes = fs::read(&newest).expect("it reads");
                bytes[4096..].fill(0);
                fs::write(&newest, bytes).expect("it is written");
            }
            false => fs::remove_file(&newest).expect("it is removed"),
        }
        let before = segments(dir);
        check_refused(dir, kept_seq, "history shows record");
        check_refused(dir, kept_seq, "history shows record");
        assert_eq!(segments(dir), before, "a refusal begins no segment");
        assert!(dir.join("store").exists(), "nor sets it aside what proves the loss");
        let (code, told) = verify(dir);
        assert!(
            code == 22 && told.contains("acknowledged records are missing"),
            "exit code {code}: {told}"
        );

        let (code, told, log) =
            run(&mut stockhold(&["rebuild", dir.to_str().expect("UTF-8"), "--accept-loss"]));
        assert!(
            code == 0 && told.contains(&format!("Records {} to", kept_seq + 1)),
            "{code}: {told}{log}"
        );
        let engine = open(dir);
        assert_eq!(orders(&engine).len(), 3, "what is left is whole");
        sell(&engine, 1, 1);
        engine.close().expect("it closes");
        assert_eq!(verify(dir).0, 0, "zeroed: {zeroed}");
        let (code, told, _) =
            run(&mut stockhold(&["rebuild", dir.to_str().expect("UTF-8"), "--accept-loss"]));
        assert!(code == 0 && told.contains("nothing was changed"), "{told}");
    }
}

#[test]
fn an_embedder_accepts_a_loss_by_name_and_everybody_who_followed_is_told() {
    let (dir, kept_seq) = two_lives();
    let engine = open(dir.path());
    let claim = engine.claim("mirror").expect("the disk works");
    claim.hold_from(kept_seq).expect("the disk works");
    let (id, identity) = (claim.id(), engine.identity());
    drop(claim);
    kill(engine);
    let newest = segments(dir.path());
    newest[1..].iter().for_each(|segment| fs::remove_file(segment).expect("it is removed"));
    check_refused(dir.path(), kept_seq, "history shows record");
    let engine = builder(dir.path()).accept_loss(true).open().expect("it was accepted");
    assert_eq!((orders(&engine).len(), engine.claims().len()), (3, 0));
    assert!(
        engine.identity().directory != identity.directory,
        "numbers that were told come again for others"
    );
    assert!(engine.claim("mirror").expect("the disk works").id() != id);
    drop(engine);
    let engine = builder(dir.path()).accept_loss(true).open().expect("there is nothing to accept");
    assert_eq!(engine.claims(), ["mirror"], "and nothing is set aside");
}

#[test]
fn a_claim_proves_a_loss_as_history_does() {
    let dir = TempDir::new().expect("a directory");
    let without = |accept| builder(dir.path()).history(false).accept_loss(accept).open();
    let engine = without(false).expect("it opens");
    sell(&engine, 3, 1);
    let kept_seq = engine.durable_seq();
    drop(engine);
    let engine = without(false).expect("it opens");
    sell(&engine, 3, 1);
    engine
        .claim("mirror")
        .and_then(|claim| claim.hold_from(engine.durable_seq() + 1))
        .expect("the disk works");
    drop(engine);
    fs::remove_file(segments(dir.path()).pop().expect("there are two")).expect("it is removed");
    let refused = without(false).expect_err("acknowledged records are missing").to_string();
    assert!(refused.contains("the claim `mirror` shows record"), "{refused}");
    let engine = without(true).expect("it was accepted");
    assert_eq!((engine.durable_seq(), engine.claims().len()), (kept_seq, 0));
}

#[test]
fn a_checkpoint_that_shows_more_is_set_aside_by_name_only() {
    let (dir, kept_seq) = two_lives();
    let engine = open(dir.path());
    engine.checkpoint().expect("it is written");
    kill(engine);
    segments(dir.path())[1..]
        .iter()
        .for_each(|segment| fs::remove_file(segment).expect("it is removed"));
    let refused =
        builder(dir.path()).open().expect_err("acknowledged records are missing").to_string();
    assert!(refused.contains("--accept-loss"), "{refused}");
    let (code, told) = verify(dir.path());
    assert!(code == 22 && told.contains("snapshot-"), "exit code {code}: {told}");
    let engine = builder(dir.path()).accept_loss(true).open().expect("it was accepted");
    assert_eq!((engine.durable_seq(), orders(&engine).len()), (kept_seq, 3));
}

/// The store of a copy that went its own way, put beside the journal of the original.
fn check_foreign(own_sales: usize, foreign_sales: usize) {
    let (dir, sibling) =
        (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
    let engine = open(dir.path());
    sell(&engine, 3, 1);
    engine.close().expect("it closes");
    copy(dir.path(), sibling.path());
    for (dir, times, quantity) in [(dir.path(), own_sales, 5), (sibling.path(), foreign_sales, 7)] {
        let engine = open(dir);
        sell(&engine, times, quantity);
        engine.close().expect("it closes");
    }
    let engine = open(dir.path());
    let expected = orders(&engine);
    engine.close().expect("it closes");
    assert_eq!(verify(dir.path()).0, 0);
    fs::remove_dir_all(dir.path().join("store")).expect("it is removed");
    copy(&sibling.path().join("store"), &dir.path().join("store"));
    fs::copy(sibling.path().join("store.manifest"), dir.path().join("store.manifest"))
        .expect("it is copied");
    let (code, told) = verify(dir.path());
    assert!(
        code == 20 && told.contains("history is of another journal"),
        "exit code {code}: {told}"
    );
    let engine = open(dir.path());
    assert_eq!(orders(&engine), expected, "every own order, and none of the sibling's");
    assert!(dir.path().join("store.set-aside-1").exists(), "it is kept for who wants to look");
    engine.close().expect("it closes");
    assert_eq!(verify(dir.path()).0, 0);
}

#[test]
fn a_history_of_a_copy_that_went_its_own_way_is_set_aside() {
    check_foreign(4, 4);
    check_foreign(9, 2);
    // It goes further than this journal does, and parted from it before its end.
    check_foreign(2, 9);
}

#[test]
fn the_identity_is_seen_from_outside() {
    let (dir, _) = two_lives();
    let engine = open(dir.path());
    let reader = DirectoryReader::open(dir.path()).expect("it reads");
    assert_eq!(reader.identity().expect("it reads"), Some(engine.identity()));
}
