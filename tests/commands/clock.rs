//! Would catch a clock that is wrong once and stays wrong: deadlines that move with it, tokens that
//! are refused, time that stands still, and a journal whose time can never be mended. And a custom
//! clock with which nothing expires.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stockhold::clock::{Clock, ManualClock, SystemClock};
use stockhold::outcome::Reserved;
use stockhold::{
    AccountId, AccountKey, ConfirmOutcome, Engine, Line, Policy, Receive, ReservationId, Reserve,
    ReserveOutcome,
};
use tempfile::TempDir;

use crate::support::{NOW_MS, Setup, Shop, run, stockhold};

const HOUR_MS: u64 = 3_600_000;
const YEAR_MS: u64 = 365 * 24 * HOUR_MS;
const HANG: Duration = Duration::from_secs(120);

/// A machine whose clock people set. It runs by itself, as far as the engine knows.
struct Machine {
    wall_ms: AtomicU64,
    monotonic_ms: AtomicU64,
}

impl Machine {
    fn new() -> Arc<Self> {
        Arc::new(Self { wall_ms: AtomicU64::new(NOW_MS), monotonic_ms: AtomicU64::new(0) })
    }

    fn pass(&self, ms: u64) {
        self.monotonic_ms.fetch_add(ms, Ordering::SeqCst);
        self.wall_ms.fetch_add(ms, Ordering::SeqCst);
    }

    fn set(&self, wall_ms: u64) {
        self.wall_ms.store(wall_ms, Ordering::SeqCst);
    }
}

impl Clock for Machine {
    fn now_ms(&self) -> u64 {
        self.wall_ms.load(Ordering::SeqCst)
    }

    fn monotonic_ms(&self) -> Option<u64> {
        Some(self.monotonic_ms.load(Ordering::SeqCst))
    }
}

fn open(dir: &TempDir, clock: Arc<dyn Clock>) -> (Engine, AccountId) {
    let engine =
        Engine::builder(dir.path()).clock(clock).segment_bytes(128 << 10).open().expect("it opens");
    let tea = engine
        .open_account(&AccountKey::stock("tea").expect("a key"), Policy::strict())
        .expect("there is room");
    (engine, tea)
}

fn receive(engine: &Engine, tea: AccountId, quantity: u64) {
    engine
        .receive(Receive::new(tea, quantity))
        .expect("it is received")
        .wait()
        .expect("it is durable");
}

fn reserve(engine: &Engine, tea: AccountId, ttl_ms: u64) -> ReservationId {
    let lines = [Line { account: tea, quantity: 1 }];
    match engine
        .reserve(Reserve::new(&lines, ttl_ms))
        .expect("it is decided")
        .wait()
        .expect("it is durable")
    {
        ReserveOutcome::Reserved(Reserved { reservation, .. }) => reservation,
        other => panic!("expected a reservation, got {other:?}"),
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + HANG;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn what_is_due_expires_by_itself_with_any_clock_that_runs() {
    let dir = TempDir::new().expect("a directory");
    let machine = Machine::new();
    let (engine, tea) = open(&dir, Arc::clone(&machine) as _);
    receive(&engine, tea, 1);
    reserve(&engine, tea, 1_000);
    machine.pass(1_000);
    until("it expires", || engine.level(tea).expect("it is open").available == 1);
    engine.close().expect("it closes");
}

#[test]
fn a_clock_that_is_wrong_for_a_moment_moves_no_deadline_and_is_told() {
    let dir = TempDir::new().expect("a directory");
    let machine = Machine::new();
    let (engine, tea) = open(&dir, Arc::clone(&machine) as _);
    receive(&engine, tea, 2);
    let (first, second) = (reserve(&engine, tea, HOUR_MS / 4), reserve(&engine, tea, HOUR_MS / 4));
    assert_eq!(engine.status().clock_ahead_ms, 0);
    machine.set(NOW_MS + YEAR_MS);
    assert_eq!(engine.expire_due().expect("it runs"), 0);
    assert_eq!(engine.status().clock_ahead_ms, -(YEAR_MS as i64));
    assert!(matches!(
        engine.confirm(first).expect("it is decided").outcome(),
        ConfirmOutcome::Confirmed { .. }
    ));
    machine.set(NOW_MS);
    machine.pass(1_000);
    assert_eq!((engine.now_ms(), engine.status().clock_ahead_ms), (NOW_MS + 1_000, 0));
    // Set backwards, it stops nothing either.
    machine.set(NOW_MS - YEAR_MS);
    assert!(engine.status().clock_ahead_ms > 0);
    machine.pass(HOUR_MS);
    until("it expires", || engine.pending(second).is_none());
    engine.close().expect("it closes");
}

#[test]
fn a_jump_that_an_operator_confirms_is_followed() {
    let dir = TempDir::new().expect("a directory");
    let machine = Machine::new();
    let (engine, tea) = open(&dir, Arc::clone(&machine) as _);
    receive(&engine, tea, 1);
    let reservation = reserve(&engine, tea, HOUR_MS / 4);
    machine.set(NOW_MS + HOUR_MS);
    assert_eq!(engine.now_ms(), NOW_MS);
    assert_eq!(engine.confirm_clock(), NOW_MS + HOUR_MS);
    until("it expires", || engine.pending(reservation).is_none());
    engine.close().expect("it closes");
}

#[tokio::test]
async fn tokens_are_judged_by_the_machines_clock_and_health_tells_that_time_is_ahead() {
    let ahead = Setup {
        engine: |it| it.clock(Arc::new(ManualClock::new(NOW_MS + YEAR_MS))),
        ..Setup::default()
    };
    let shop = Shop::with(ahead).await.reopen_with(Setup::default()).await;
    assert_eq!(shop.engine.now_ms(), NOW_MS + YEAR_MS, "the newest event is of that time");
    shop.user("demo").await.get("/api/points/balance").await.data();
    let health = shop.guest().await.get("/health").await;
    assert_eq!((health.status, &health.json()["checks"]["clock"]), (200, &"rejected".into()));
    let clock = shop.admin().await.get("/api/admin/clock").await.data();
    assert_eq!(clock["aheadMs"], YEAR_MS);
    shop.user("demo").await.get("/api/admin/clock").await.failure(403, "FORBIDDEN");
    let confirmed =
        shop.admin().await.post("/api/admin/clock/confirm", serde_json::json!({})).await;
    assert_eq!(confirmed.status, 200, "though there is nothing ahead to follow");
}

#[test]
fn a_journal_that_is_ahead_is_mended_by_a_command() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().to_str().expect("a path in UTF-8");
    let now_ms = SystemClock::default().now_ms();
    let (engine, tea) = open(&dir, Arc::new(ManualClock::new(now_ms)));
    receive(&engine, tea, 3);
    let before = reserve(&engine, tea, 30 * 24 * HOUR_MS);
    let short = reserve(&engine, tea, HOUR_MS);
    engine.close().expect("it closes");
    let (engine, tea) = open(&dir, Arc::new(ManualClock::new(now_ms + YEAR_MS)));
    let ahead = reserve(&engine, tea, HOUR_MS);
    engine.close().expect("it closes");

    let (code, told, _) = run(&mut stockhold(&["clock", path]));
    assert_eq!(code, 1, "{told}");
    assert!(
        told.contains("ahead") && told.contains("--mend") && told.contains("1 reservations"),
        "{told}"
    );
    let (code, told, errors) = run(&mut stockhold(&["clock", path, "--mend"]));
    assert_eq!(code, 0, "{told}{errors}");
    assert_eq!(run(&mut stockhold(&["clock", path])).0, 0, "it stays mended");
    let (code, told, errors) = run(&mut stockhold(&["verify", path]));
    assert_eq!(code, 0, "{told}{errors}");

    let (engine, tea) = open(&dir, Arc::new(SystemClock::default()));
    assert!(engine.now_ms() < now_ms + HOUR_MS / 2, "time is the machine's again");
    assert_eq!(engine.status().clock_ahead_ms, 0);
    assert!(
        engine.pending(before).is_some() && engine.pending(short).is_some(),
        "what waited before waits on"
    );
    assert_eq!(
        engine.pending(ahead),
        None,
        "what was made in the time that was ahead is given back"
    );
    let level = engine.level(tea).expect("it is open");
    assert_eq!((level.available, level.reserved), (1, 2));
    reserve(&engine, tea, HOUR_MS);
    drop(engine);
    let (engine, _) = open(&dir, Arc::new(SystemClock::default()));
    assert_eq!(engine.status().clock_ahead_ms, 0, "also after a death, from the journal");
    engine.close().expect("it closes");
}
