//! Would catch points that are spent after their end, that expire before it, twice or not at all, and
//! a refund that is lost because it came too late.

use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::audit::{self, AuditConfig, Finding, Kind};
use crate::base::ReservationId;
use crate::base::clock::ManualClock;
use crate::base::error::ErrorKind;
use crate::base::flaw::{self, Flaw};
use crate::engine::Engine;
use crate::ledger::{
    ChangeOutcome, Level, Line, Reacquire, ReacquireOutcome, Receive, RefundOutcome, Reserve,
    ReserveOutcome, WriteOff,
};
use crate::mall::MallConfig;
use crate::vfs::RealVfs;

const DAY_MS: u64 = 86_400_000;
/// An hour before the end of a day.
const NOW_MS: u64 = 20_000 * DAY_MS - 3_600_000;
const MIDNIGHT_MS: u64 = 20_000 * DAY_MS;

struct Fixture {
    clock: Arc<ManualClock>,
    engine: Engine,
    mall: Mall,
    ann: User,
    /// Dropped after the engine, whose files it has.
    dir: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        Self::on(dir, Arc::new(ManualClock::new(NOW_MS)))
    }

    fn on(dir: TempDir, clock: Arc<ManualClock>) -> Self {
        let engine = Engine::builder(dir.path()).segment_bytes(256 << 10).clock(clock.clone() as _);
        let engine = engine.open().expect("it opens");
        let mall = Mall::open(engine.clone(), MallConfig::default()).expect("it opens");
        let ann = User::new("ann").expect("a valid name");
        Self { dir, clock, engine, mall, ann }
    }

    fn reopen(self) -> Self {
        self.engine.close().expect("it closes");
        drop((self.engine, self.mall));
        Self::on(self.dir, self.clock)
    }

    /// Gives ann points that are good until the end of the day of `expires_at`.
    fn award(&self, points: u64, expires_at: TimeMs) -> AccountId {
        let lot = self.mall.lot(&self.ann, expires_at).expect("there may be one").account;
        self.receive(lot, points);
        lot
    }

    fn receive(&self, account: AccountId, points: u64) {
        let received = self.engine.receive(Receive::new(account, points));
        received.expect("it is valid").wait().expect("the engine runs");
    }

    /// Takes points, and confirms it.
    fn buy(&self, account: AccountId, points: u64) -> ReserveOutcome {
        let line = [Line { account, quantity: points }];
        let reserve = self.engine.reserve(Reserve::new(&line, 60_000).confirmed());
        reserve.expect("it is valid").wait().expect("the engine runs")
    }

    fn bought(&self, account: AccountId, points: u64) -> ReservationId {
        self.buy(account, points).reserved().expect("there are enough").reservation
    }

    fn hold(&self, account: AccountId, points: u64) -> ReservationId {
        let line = [Line { account, quantity: points }];
        let reserve = self.engine.reserve(Reserve::new(&line, 2 * DAY_MS)).expect("it is valid");
        let outcome = reserve.wait().expect("the engine runs");
        outcome.reserved().expect("there are enough").reservation
    }

    fn refund(&self, reservation: ReservationId) {
        let refund = self.engine.refund(reservation).expect("it is valid");
        let outcome = refund.wait().expect("the engine runs");
        assert!(matches!(outcome, RefundOutcome::Returned { .. }), "{outcome:?}");
    }

    fn level(&self, account: AccountId) -> Level {
        self.engine.level(account).expect("it is open")
    }

    /// What an account has available, and what of it was written off.
    fn stands(&self, account: AccountId) -> (i64, u64) {
        let level = self.level(account);
        (level.available, level.written_off)
    }

    fn points(&self) -> PointsLevel {
        let forever = self.ann.points(&self.engine).expect("it is open");
        self.mall.points_level(&self.ann, forever, None).expect("the engine runs")
    }

    fn sweep(&self) {
        while self.mall.expire_points().expect("the engine runs") {}
    }

    /// What the auditor finds in the files.
    fn findings(self) -> Vec<Finding> {
        self.engine.close().expect("it closes");
        let config = AuditConfig { keys_max: 100, scratch: None };
        let audit = audit::audit(&RealVfs, self.dir.path(), &config, &mut |_, _| {});
        audit.expect("it can be read").findings.told().to_vec()
    }
}

fn found(findings: &[Finding], kind: Kind, what: &str) -> bool {
    findings.iter().any(|finding| finding.kind == kind && finding.what.contains(what))
}

#[test]
fn nothing_is_taken_from_the_end_on() {
    let shop = Fixture::new();
    let lot = shop.award(10, NOW_MS + 1);
    shop.clock.advance(MIDNIGHT_MS - NOW_MS - 1);
    shop.bought(lot, 1);
    assert_eq!(shop.engine.takeable(lot).expect("it is open"), 9);
    shop.clock.advance(1);
    let ReserveOutcome::Refused(refusal) = shop.buy(lot, 1) else { panic!("it has ended") };
    assert_eq!(refusal.available, 0);
    assert_eq!(shop.engine.takeable(lot).expect("it is open"), 0);
    assert_eq!(shop.points().available, 0, "though nothing is written off yet");
    assert_eq!(shop.stands(lot), (9, 0));
    shop.sweep();
    assert_eq!(shop.stands(lot), (0, 9));
    assert_eq!(shop.findings(), []);
}

#[test]
fn the_auditor_sees_what_is_taken_after_its_end_or_written_off_before_it() {
    let shop = Fixture::new();
    let lot = shop.award(10, NOW_MS + 1);
    let write_off = shop.engine.write_off(WriteOff::new(lot, 1)).expect("it is valid");
    assert!(matches!(write_off.wait(), Ok(ChangeOutcome::Changed(_))));
    shop.clock.advance(MIDNIGHT_MS - NOW_MS);
    flaw::with(Flaw::TakesEnded, || shop.bought(lot, 2));
    let findings = shop.findings();
    assert!(found(&findings, Kind::Deadline, "1 units are written off at"), "{findings:?}");
    assert!(found(&findings, Kind::Deadline, "2 units are taken at"), "{findings:?}");
    assert_eq!(findings.len(), 2, "{findings:?}");
}

/// Ten points: four are bought with, two held, and the lot ends.
fn ended() -> (Fixture, AccountId, ReservationId, ReservationId) {
    let shop = Fixture::new();
    let lot = shop.award(10, NOW_MS + 1);
    let (bought, held) = (shop.bought(lot, 4), shop.hold(lot, 2));
    shop.clock.advance(MIDNIGHT_MS - NOW_MS);
    (shop, lot, bought, held)
}

#[test]
fn what_nobody_took_expires_once_and_what_is_returned_later_has_a_grace() {
    let (shop, lot, bought, held) = ended();
    for _ in 0..3 {
        shop.sweep();
        assert_eq!(shop.stands(lot), (0, 4));
    }
    // What was only held was never paid with.
    shop.engine.release(held).expect("it is valid").wait().expect("the engine runs");
    shop.sweep();
    assert_eq!(shop.stands(lot), (0, 6));
    let before = shop.points();
    assert_eq!((before.available, before.received, before.written_off), (0, 10, 6));

    shop.refund(bought);
    shop.sweep();
    assert_eq!(shop.stands(lot), (0, 10), "four of them moved");
    let after = shop.points();
    let grace = Expiring { at: MIDNIGHT_MS + 30 * DAY_MS, points: 4 };
    assert_eq!((after.available, after.expiring), (4, Some(grace)));
    assert_eq!((after.received, after.written_off), (10, 6), "nobody got or lost any");
    shop.clock.advance(30 * DAY_MS);
    assert_eq!(shop.points().available, 0);
    shop.sweep();
    let ended = shop.points();
    assert_eq!((ended.received, ended.written_off, ended.consumed), (10, 10, 0));
    assert_eq!(shop.findings(), []);
}

#[test]
fn a_lot_that_expires_twice_is_seen() {
    let run = |shop: &Fixture, bought| {
        shop.sweep();
        shop.refund(bought);
        shop.sweep();
    };
    let (shop, lot, bought, _) = ended();
    flaw::with(Flaw::ExpiresTwice, || run(&shop, bought));
    assert_eq!(shop.stands(lot), (0, 8), "the mistake is made");
    let findings = shop.findings();
    let what = "4 units are written off after their end, and 0 were left to be";
    assert!(found(&findings, Kind::Conservation, what), "{findings:?}");
    assert_eq!(findings.len(), 1, "{findings:?}");

    let (shop, _, bought, _) = ended();
    run(&shop, bought);
    assert_eq!((shop.points().available, shop.findings()), (4, vec![]));
}

#[test]
fn what_was_returned_before_anybody_looked_has_its_grace_all_the_same() {
    // The server stood still over the end of the day, and refunds came before the first sweep.
    let (shop, lot, bought, held) = ended();
    let shop = shop.reopen();
    shop.refund(bought);
    shop.engine.release(held).expect("it is valid").wait().expect("the engine runs");
    let shop = shop.reopen();
    assert_eq!(shop.stands(lot), (10, 0));
    shop.sweep();
    assert_eq!(shop.stands(lot), (0, 10));
    let points = shop.points();
    assert_eq!((points.available, points.received, points.written_off), (4, 10, 6));
    let shop = shop.reopen();
    shop.sweep();
    assert_eq!(shop.points(), points, "a restart does nothing again");
    assert_eq!(shop.findings(), []);
}

#[test]
fn a_lot_is_read_back_and_is_one_for_a_day() {
    let shop = Fixture::new();
    let today = shop.award(1, NOW_MS + 1);
    assert_eq!(shop.award(2, MIDNIGHT_MS), today);
    let tomorrow = shop.award(4, MIDNIGHT_MS + 1);
    assert_ne!(tomorrow, today);
    let shop = shop.reopen();
    assert_eq!(shop.award(8, MIDNIGHT_MS), today);
    let lots = shop.mall.shared.lots.of("ann");
    let want = [(MIDNIGHT_MS, today), (MIDNIGHT_MS + DAY_MS, tomorrow)];
    assert_eq!(lots.as_slice(), want.map(|(until, account)| Lot { until, account }));
    assert_eq!(shop.level(today).key.as_str(), "points/ann/2024-10-04T00:00:00Z");
    for wrong in [0, NOW_MS, NOW_MS + 101 * 366 * DAY_MS, TimeMs::MAX] {
        let refused = shop.mall.lot(&shop.ann, wrong);
        assert!(matches!(refused, Err(Failure::Engine(_))), "{wrong}: {refused:?}");
    }
}

#[test]
fn a_user_has_so_many_lots_and_ended_ones_do_not_count() {
    let shop = Fixture::new();
    let lot = |day: u64| shop.mall.lot(&shop.ann, NOW_MS + day * DAY_MS);
    for day in 0..LOTS_MAX as u64 {
        lot(day + 1).expect("there may be so many");
    }
    let another = LOTS_MAX as u64 + 1;
    assert!(matches!(lot(another), Err(Failure::TooManyLots(_))));
    lot(7).expect("it is there already");
    shop.clock.advance(DAY_MS + 3_600_000);
    lot(another).expect("one has ended");
    assert_eq!(shop.points().received, 0, "nothing was given");
}

#[test]
fn what_is_paid_late_with_other_points_of_its_user_goes_back_to_these_and_is_sound() {
    let shop = Fixture::new();
    let (ends, good) = (shop.award(10, NOW_MS + 1), shop.award(10, NOW_MS + 3 * DAY_MS));
    let held = shop.hold(ends, 4);
    shop.clock.advance(2 * DAY_MS);
    shop.engine.expire_due().expect("the engine runs");
    let bob = User::new("bob").expect("a valid name").points_key;
    let bob = account(shop.mall.engine(), &bob).expect("there is room");
    shop.receive(bob, 10);
    shop.sweep();
    let revive = |account| {
        let takes = [Line { account, quantity: 4 }];
        let asked = shop.engine.reacquire_with(Reacquire::new(held), &takes);
        asked.expect("it is valid").wait()
    };
    assert_eq!(revive(bob).expect_err("they are bob's").kind(), ErrorKind::Invalid);
    let revived = ReacquireOutcome::Revived { reservation: held };
    assert_eq!(revive(good).expect("they are ann's"), revived);
    assert_eq!((shop.stands(ends), shop.stands(good)), ((0, 10), (6, 0)));
    shop.refund(held);
    assert_eq!((shop.stands(ends), shop.stands(good)), ((0, 10), (10, 0)));
    assert_eq!(shop.findings(), []);
}

/// Would catch a sweep that looks at lots again and again, however long they rest, and one that does
/// not see what comes back to them.
#[test]
fn lots_that_have_ended_rest_until_units_come_back_to_them() {
    const LOTS: u64 = 40;
    let shop = Fixture::new();
    let lots: Vec<AccountId> =
        (0..LOTS).map(|day| shop.award(3, NOW_MS + 1 + day * DAY_MS)).collect();
    let bought: Vec<ReservationId> = lots.iter().map(|lot| shop.bought(*lot, 2)).collect();
    shop.clock.advance((LOTS / 2) * DAY_MS);
    let due = |shop: &Fixture| {
        let mut sweep = shop.mall.shared.lots_due.lock();
        while sweep
            .find(&shop.engine, &shop.mall.shared.lots, shop.engine.now_ms())
            .expect("it runs")
        {}
        sweep.first(usize::MAX).0
    };
    assert_eq!(due(&shop), lots[..20], "those that have ended");
    shop.sweep();
    assert_eq!(due(&shop), []);
    assert_eq!(shop.points().written_off, 20);
    // What comes to lots that are good, or that are none, is nothing to look at.
    shop.receive(lots[30], 1);
    shop.award(1, NOW_MS + 90 * DAY_MS);
    shop.refund(bought[35]);
    assert_eq!(due(&shop), []);
    shop.refund(bought[7]);
    shop.receive(lots[3], 5);
    assert_eq!(due(&shop), [lots[3], lots[7]]);
    shop.sweep();
    assert_eq!(due(&shop), []);
    assert_eq!((shop.stands(lots[7]), shop.stands(lots[3])), ((0, 3), (0, 6)), "it moved");

    // A restart looks at each once more, and does nothing twice.
    let before = shop.points();
    let shop = shop.reopen();
    assert_eq!(due(&shop), lots[..20]);
    shop.sweep();
    assert_eq!((due(&shop), shop.points()), (vec![], before));
    shop.refund(bought[8]);
    let shop = shop.reopen();
    shop.sweep();
    assert_eq!(shop.stands(lots[8]), (0, 3));
    shop.clock.advance(LOTS * DAY_MS);
    shop.sweep();
    assert_eq!((due(&shop), shop.points().available), (vec![], 1));
    assert_eq!(shop.findings(), []);
}
