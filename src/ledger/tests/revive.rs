//! What expired takes its lines again: all of them or none, once, as a purchase of this moment; and
//! events and snapshots rebuild it.

use super::*;

/// What ann ordered and did not pay: for points, under a limit and a cap on what waits, from a stock.
struct Lapsed {
    fixture: Fixture,
    reservation: ReservationId,
    lines: [Line; 4],
}

impl Lapsed {
    fn new() -> Self {
        let fixture = Fixture::new();
        let tea = fixture.stock(3);
        let points = fixture.open("points/ann", Policy::strict());
        fixture.execute(Command::Receive(Receive::new(points, 300)), 0);
        let rolling = Policy::quota(2, Window::Rolling { length_ms: 1_000 });
        let quota = fixture.open("quota/ann/tea", rolling);
        let cap = fixture.open("quota/ann", Policy::quota(1, Window::Outstanding));
        let lines = [(points, 200), (quota, 2), (cap, 1), (tea, 2)]
            .map(|(account, quantity)| Line { account, quantity });
        let reserve = Reserve::new(&lines, 100).owner(points);
        let reservation = reservation_of(fixture.execute(Command::Reserve(reserve), 0));
        let (last, _) =
            fixture.ledger.expire(reservation.shard(), 100, 9, &fixture.list).expect("it admits");
        assert_eq!(last.map(|(_, count)| count), Some(1));
        Self { fixture, reservation, lines }
    }

    fn revive_in(
        &self,
        fixture: &Fixture,
        asked: Reacquire,
        now: TimeMs,
    ) -> Result<ReacquireOutcome> {
        let (reservation, owner) = (self.reservation, Some(self.lines[0].account));
        let held =
            Held { reservation, owner, lines: &self.lines, takes: &self.lines, expires_at: 100 };
        fixture.ledger.revive(&held, &asked, now, &fixture.list).map(|(outcome, _)| outcome)
    }

    fn revive(&self, now: TimeMs) -> Result<ReacquireOutcome> {
        self.revive_in(&self.fixture, Reacquire::new(self.reservation), now)
    }

    /// What each account has available, and consumed.
    fn numbers(&self, fixture: &Fixture) -> [(i64, u64); 4] {
        self.lines.map(|line| {
            let (available, _, consumed, ..) = fixture.numbers(line.account);
            (available, consumed)
        })
    }

    fn confirm(&self, fixture: &Fixture) -> NotPending {
        let confirm = Command::Confirm(Confirm::new(self.reservation));
        match fixture.execute(confirm, 200) {
            Outcome::Confirm(ConfirmOutcome::NotPending { why, .. }) => why,
            other => panic!("it does not wait: {other:?}"),
        }
    }
}

#[test]
fn what_expired_is_confirmed_once_with_everything_it_held() {
    let lapsed = Lapsed::new();
    let fixture = &lapsed.fixture;
    assert_eq!(lapsed.confirm(fixture), NotPending::Expired);
    let parts_before = fixture.parts();
    let revived = ReacquireOutcome::Revived { reservation: lapsed.reservation };
    assert_eq!(lapsed.revive(150).expect("it is sound"), revived);
    // The cap is on what waits, and this never does again.
    let taken = [(100, 200), (0, 2), (1, 0), (1, 2)];
    for made in [&fixture.rebuilt(&[]), &fixture.rebuilt(&parts_before), fixture] {
        assert_eq!(lapsed.numbers(made), taken);
        assert_eq!(lapsed.confirm(made), NotPending::Confirmed, "it is remembered");
        let twice = lapsed.revive_in(made, Reacquire::new(lapsed.reservation), 151);
        assert_eq!(twice.map_err(|error| error.kind()), Err(ErrorKind::Conflict));
        // The limit counts from then on.
        let quota = lapsed.lines[1].account;
        let takeable = |now| made.ledger.takeable(quota, now).expect("it is open").0;
        assert_eq!((takeable(1_149), takeable(1_150)), (0, 2));
    }
    // A snapshot does not say how reservations ended; history does.
    let restarted = fixture.rebuilt(&fixture.parts());
    assert_eq!(lapsed.numbers(&restarted), taken);
    assert_eq!(lapsed.confirm(&restarted), NotPending::Unknown);
}

#[test]
fn a_line_that_is_not_to_be_had_is_named_and_nothing_is_taken() {
    for (place, spent) in [(0, 101), (1, 1), (3, 2)] {
        let lapsed = Lapsed::new();
        let (fixture, Line { account, .. }) = (&lapsed.fixture, lapsed.lines[place]);
        let lines = [Line { account, quantity: spent }];
        fixture.execute(Command::Reserve(Reserve::new(&lines, 100).confirmed()), 120);
        let before = (lapsed.numbers(fixture), fixture.list.last_seq());
        let ReacquireOutcome::Refused(refusal) = lapsed.revive(150).expect("it is sound") else {
            panic!("line {place} is short");
        };
        let (there, _) = fixture.ledger.takeable(account, 150).expect("it is open");
        assert_eq!((refusal.line, refusal.account, refusal.available), (place, account, there));
        assert_eq!((lapsed.numbers(fixture), fixture.list.last_seq()), before, "nothing happens");
        // A window gives back what is due, and then it can be had.
        let later = lapsed.revive(1_120).expect("it is sound");
        let revived = ReacquireOutcome::Revived { reservation: lapsed.reservation };
        assert_eq!(later == revived, place == 1, "{later:?}");
    }
    // Nor is what is closed.
    let lapsed = Lapsed::new();
    let (fixture, cap) = (&lapsed.fixture, lapsed.lines[2].account);
    fixture.ledger.close_account(cap, 150, &fixture.list).expect("it is there");
    let refusal =
        Refusal { line: 2, account: cap, available: 0, next_release_at: None, has_line: false };
    assert_eq!(lapsed.revive(150).expect("it is sound"), ReacquireOutcome::Refused(refusal));
}

#[test]
fn a_retry_hears_that_it_is_confirmed() {
    let lapsed = Lapsed::new();
    let (fixture, named) =
        (&lapsed.fixture, IdempotencyKey::new("pay", "late").expect("a valid key"));
    let asked = Reacquire::new(lapsed.reservation).key(named);
    let revived = ReacquireOutcome::Revived { reservation: lapsed.reservation };
    assert_eq!(lapsed.revive_in(fixture, asked, 150).expect("it is sound"), revived);
    let first = FirstAnswer::Revived { reservation: lapsed.reservation };
    for made in [&fixture.rebuilt(&[]), &fixture.rebuilt(&fixture.parts()), fixture] {
        assert_eq!(made.first_answer(named), Ok(Some(first.clone())));
        assert_eq!(lapsed.revive_in(made, asked, 160).expect("it is sound"), revived);
        // The same is asked for by a confirm.
        let confirm = Command::Confirm(Confirm::new(lapsed.reservation).key(named));
        let confirmed = ConfirmOutcome::Confirmed { reservation: lapsed.reservation };
        assert_eq!(made.execute(confirm, 160), Outcome::Confirm(confirmed));
        let release = Command::Release(Release::new(lapsed.reservation).key(named));
        let other = made.ledger.execute(&release, 160, &made.list).map(drop);
        assert_eq!(other.map_err(|error| error.kind()), Err(ErrorKind::Conflict));
    }
}

#[test]
fn nothing_is_revived_that_cannot_have_expired() {
    let lapsed = Lapsed::new();
    let (fixture, reservation) = (&lapsed.fixture, lapsed.reservation);
    let tea = lapsed.lines[3].account;
    let waits = reservation_of(fixture.reserve(tea, 1, 120));
    let never = ReservationId::new(reservation.shard(), u64::MAX >> 8);
    let released = reservation_of(fixture.reserve(tea, 1, 120));
    fixture.execute(Command::Release(Release::new(released)), 121);
    let events = fixture.list.last_seq();
    for id in [waits, never, released] {
        let lines = [Line { account: tea, quantity: 1 }];
        let held =
            Held { reservation: id, owner: None, lines: &lines, takes: &lines, expires_at: 130 };
        let asked = Reacquire::new(id);
        let refused = fixture.ledger.revive(&held, &asked, 150, &fixture.list).map(drop);
        assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::Conflict), "{id}");
    }
    assert_eq!(fixture.list.last_seq(), events);
}

/// Would catch points of somebody else that pay for an order, and fewer or more of them than it cost.
#[test]
fn points_may_be_of_other_accounts_of_the_same_user_and_nothing_else_may() {
    let lapsed = Lapsed::new();
    let fixture = &lapsed.fixture;
    let [points, quota, cap, tea] = lapsed.lines;
    let lot = fixture.open("points/ann/2026-01-01T00:00:00Z", Policy::strict());
    let bob = fixture.open("points/bob", Policy::strict());
    for account in [lot, bob] {
        fixture.execute(Command::Receive(Receive::new(account, 500)), 0);
    }
    let line = |account, quantity| Line { account, quantity };
    let revive = |takes: &[Line]| {
        let (reservation, owner) = (lapsed.reservation, Some(points.account));
        let held = Held { reservation, owner, lines: &lapsed.lines, takes, expires_at: 100 };
        let asked = Reacquire::new(reservation);
        fixture.ledger.revive(&held, &asked, 150, &fixture.list).map(|(outcome, _)| outcome)
    };
    let before = fixture.list.last_seq();
    for wrong in [
        &[line(bob, 200), quota, cap, tea][..],
        &[line(lot, 199), quota, cap, tea],
        &[line(lot, 201), quota, cap, tea],
        &[line(lot, 200), quota, tea],
        &[line(lot, 200), quota, cap, line(tea.account, 1)],
        &[],
    ] {
        let error = revive(wrong).expect_err("it is another order");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{wrong:?}");
    }
    assert_eq!(fixture.list.last_seq(), before, "nothing happens");
    let parts = fixture.parts();
    let takes = [line(lot, 150), line(points.account, 50), quota, cap, tea];
    let revived = ReacquireOutcome::Revived { reservation: lapsed.reservation };
    assert_eq!(revive(&takes).expect("it is sound"), revived);
    for made in [&fixture.rebuilt(&[]), &fixture.rebuilt(&parts), fixture] {
        let stands = |account| {
            let (available, _, consumed, ..) = made.numbers(account);
            (available, consumed)
        };
        assert_eq!(
            [lot, points.account, bob, tea.account].map(stands),
            [(350, 150), (250, 50), (500, 0), (1, 2)]
        );
    }
}
