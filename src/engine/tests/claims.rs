//! Would catch a claim that lets go of what it holds, also when its follower or the engine is away.

use super::*;
use crate::ledger::Receive;

/// Some 60 bytes each: enough for several segments of 128 KiB.
const EVENTS: u64 = 8_000;

fn open(fixture: &Fixture) -> Engine {
    let builder = Engine::builder(fixture.dir.path())
        .clock(Arc::clone(&fixture.clock) as _)
        .segment_bytes(128 << 10);
    builder.history(false).archive_bytes_max(None).open().expect("the directory opens")
}

/// Fills segments and lets two checkpoints go by, after which only a claim needs the first of them.
fn fill(engine: &Engine) {
    let tea = stock(engine, 1);
    for _ in 0..2 {
        for _ in 0..EVENTS {
            drop(engine.receive(Receive::new(tea, 1)).expect("it is received"));
        }
        engine.checkpoint().expect("the disk works");
    }
}

/// Waits for the recycler, which recycles in the background; false when it has nothing to do.
fn lets_go(engine: &Engine) -> bool {
    let oldest = || engine.status().oldest_seq;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while oldest() == 1 && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    oldest() > 1
}

#[test]
fn what_is_claimed_is_kept_through_a_restart_and_let_go_of_when_it_is_given_up() {
    let fixture = Fixture::new();
    let engine = open(&fixture);
    let claim = engine.claim("mirror").expect("the disk works");
    assert_eq!((claim.from_seq(), claim.held_bytes()), (None, 0), "a new claim holds nothing");
    claim.hold_from(1).expect("the disk works");
    let id = claim.id();
    fill(&engine);
    assert!(
        claim.held_bytes() >= 2 * (128 << 10),
        "{} bytes in sealed segments",
        claim.held_bytes()
    );
    drop((claim, engine));

    // Nobody asks for the claim here: it holds all the same.
    let engine = open(&fixture);
    fill(&engine);
    assert_eq!((engine.status().oldest_seq, engine.claims()), (1, vec!["mirror".to_owned()]));
    let claim = engine.claim("mirror").expect("the disk works");
    assert_eq!((claim.id(), claim.from_seq()), (id, Some(1)));
    let mut events = engine.subscribe(1).expect("everything is kept");
    assert_eq!(events.try_next().expect("it reads").map(|(seq, _)| seq), Some(1));
    drop(events);

    claim.give_up().expect("the disk works");
    assert!(lets_go(&engine), "the first segment is recycled");
    assert_eq!((claim.from_seq(), claim.held_bytes()), (None, 0));
    drop((claim, engine));
    let engine = open(&fixture);
    assert_eq!(engine.claim("mirror").expect("the disk works").id(), id, "it keeps its number");
}

#[test]
fn a_claim_follows_its_follower() {
    let fixture = Fixture::new();
    let engine = open(&fixture);
    let claim = engine.claim("mirror").expect("the disk works");
    claim.hold_from(1).expect("the disk works");
    fill(&engine);
    assert_eq!(engine.status().oldest_seq, 1);
    let last = engine.durable_seq();
    claim.hold_from(last + 1).expect("the disk works");
    assert!(lets_go(&engine), "what is behind the follower goes");
    assert!(claim.held_bytes() == 0, "{} bytes of sealed segments", claim.held_bytes());
}

#[test]
fn a_damaged_claim_holds_nothing_and_opens_all_the_same() {
    let fixture = Fixture::new();
    let engine = open(&fixture);
    let claim = engine.claim("mirror").expect("the disk works");
    claim.hold_from(1).expect("the disk works");
    let id = claim.id();
    drop((claim, engine));
    let path = fixture.dir.path().join("claims/mirror.claim");
    let file = crate::vfs::Vfs::open(&crate::vfs::RealVfs, &path).expect("the file is there");
    let mut byte = [0];
    file.read_at(&mut byte, 20).expect("it can be read");
    file.write_at(&[!byte[0]], 20).expect("it can be written");
    let engine = open(&fixture);
    assert!(engine.claims().is_empty(), "nobody can say what it held");
    let claim = engine.claim("mirror").expect("the disk works");
    assert!(
        claim.id() != id && claim.from_seq().is_none(),
        "its follower sees that it starts anew"
    );
}

#[test]
fn a_wrong_name_claims_nothing() {
    let fixture = Fixture::new();
    let engine = open(&fixture);
    let error = engine.claim("../mirror").expect_err("a wrong name");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(engine.claims().is_empty(), "nothing was made");
}
