//! Other deadlines for what is pending: what decides, when it lapses, and that events and snapshots
//! rebuild it.

use super::*;
use crate::base::TTL_MS_MAX;

fn extended(reservation: ReservationId, expires_at: TimeMs) -> Outcome {
    Outcome::Extend(ExtendOutcome::Extended { reservation, expires_at })
}

fn late(reservation: ReservationId, expires_at: TimeMs) -> Outcome {
    Outcome::Extend(ExtendOutcome::Late { reservation, expires_at })
}

fn not_pending(reservation: ReservationId, why: NotPending) -> Outcome {
    Outcome::Extend(ExtendOutcome::NotPending { reservation, why })
}

impl Fixture {
    fn extend(&self, extend: Extend, now: TimeMs) -> Outcome {
        self.execute(Command::Extend(extend), now)
    }

    /// How many reservations expire by then.
    fn expire(&self, shard: ShardIndex, now: TimeMs) -> usize {
        let (last, _) = self.ledger.expire(shard, now, 100, &self.list).expect("the list admits");
        last.map_or(0, |(_, count)| count)
    }

    fn next_release(&self, account: AccountId) -> Option<TimeMs> {
        self.ledger.takeable(account, 0).expect("the account exists").1
    }
}

#[test]
fn the_new_deadline_decides() {
    for (to, sooner) in [(500, false), (60, true)] {
        let fixture = Fixture::new();
        let tea = fixture.stock(10);
        let first = reservation_of(fixture.reserve(tea, 3, 0));
        let other = reservation_of(fixture.reserve(tea, 1, 0));
        assert_eq!(fixture.extend(Extend::until(first, to), 40), extended(first, to));
        assert_eq!(fixture.numbers(tea), (6, 4, 0, 10, 0), "no unit moves");
        assert_eq!(fixture.next_release(tea), Some(to.min(100)));
        assert_eq!(fixture.ledger.pending(first).map(|held| held.expires_at), Some(to));
        // A ledger that is made anew has the same deadlines.
        for ledger in [&fixture.rebuilt(&fixture.parts()), &fixture.rebuilt(&[]), &fixture] {
            let shard = first.shard();
            let counts = [59, 60, 100, 499, 500].map(|now| ledger.expire(shard, now));
            let expected = if sooner { [0, 1, 1, 0, 0] } else { [0, 0, 1, 0, 1] };
            assert_eq!(counts, expected, "extended to {to}");
            assert_eq!(ledger.numbers(tea), (10, 0, 0, 10, 0));
            assert_eq!(ledger.next_release(tea), None);
            assert_eq!(
                ledger.extend(Extend::new(other, 9), 501),
                not_pending(other, NotPending::Expired)
            );
        }
    }
}

#[test]
fn what_is_over_cannot_be_extended() {
    let fixture = Fixture::new();
    let tea = fixture.stock(10);
    let [lapsed, confirmed, released] =
        [(); 3].map(|()| reservation_of(fixture.reserve(tea, 1, 0)));
    fixture.execute(confirm(confirmed), 1);
    fixture.execute(release(released), 1);
    for (ended, why) in [
        (confirmed, NotPending::Confirmed),
        (released, NotPending::Released),
        (ReservationId::from_number(7 << 40), NotPending::NeverMade),
    ] {
        assert_eq!(fixture.extend(Extend::new(ended, 100), 2), not_pending(ended, why));
    }
    // The wheel has not turned, and the deadline decides.
    assert_eq!(fixture.extend(Extend::new(lapsed, 100), 99), extended(lapsed, 199));
    assert_eq!(fixture.extend(Extend::new(lapsed, 100), 199), late(lapsed, 199));
    assert_eq!(
        fixture.execute(confirm(lapsed), 198),
        Outcome::Confirm(ConfirmOutcome::Confirmed { reservation: lapsed })
    );
}

#[test]
fn only_its_owner_extends_it_when_one_is_named() {
    let fixture = Fixture::new();
    let tea = fixture.stock(10);
    let [ann, bob] = ["points/ann", "points/bob"].map(|key| fixture.open(key, Policy::strict()));
    let lines = [Line { account: tea, quantity: 1 }];
    let reserve = Command::Reserve(Reserve::new(&lines, 100).owner(ann));
    let order = reservation_of(fixture.execute(reserve, 0));
    assert_eq!(
        fixture.extend(Extend::new(order, 9).owner(bob), 0),
        not_pending(order, NotPending::Anothers)
    );
    assert_eq!(fixture.extend(Extend::new(order, 9).owner(ann), 0), extended(order, 9));
}

#[test]
fn a_deadline_is_to_come_and_not_too_far_away() {
    let fixture = Fixture::new();
    let tea = fixture.stock(10);
    let order = reservation_of(fixture.reserve(tea, 1, 0));
    let events = fixture.list.last_seq();
    for extend in [
        Extend::new(order, 0),
        Extend::new(order, TTL_MS_MAX + 1),
        Extend::new(order, u64::MAX),
        Extend::until(order, 50),
        Extend::until(order, 0),
        Extend::until(order, 51 + TTL_MS_MAX),
    ] {
        let error = fixture.ledger.execute(&Command::Extend(extend), 50, &fixture.list);
        let error = error.expect_err("it is out of bounds");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{extend:?}: {error}");
    }
    assert_eq!(fixture.list.last_seq(), events);
    for (extend, expires_at) in [
        (Extend::until(order, 51), 51),
        (Extend::new(order, TTL_MS_MAX), 50 + TTL_MS_MAX),
        (Extend::until(order, 50 + TTL_MS_MAX), 50 + TTL_MS_MAX),
    ] {
        assert_eq!(fixture.extend(extend, 50), extended(order, expires_at));
    }
}

#[test]
fn two_lines_of_one_account_lapse_together() {
    let fixture = Fixture::new();
    let tea = fixture.stock(10);
    let cup = fixture.open("stock/cup", Policy::backorder(9));
    let lines =
        [(tea, 1), (cup, 2), (tea, 3)].map(|(account, quantity)| Line { account, quantity });
    let order = reservation_of(fixture.execute(Command::Reserve(Reserve::new(&lines, 100)), 0));
    let parts = fixture.parts();
    assert_eq!(fixture.extend(Extend::new(order, 300), 7), extended(order, 307));
    assert_eq!([tea, cup].map(|it| fixture.next_release(it)), [Some(307); 2]);
    // Parts that are older than the extension, one shard after the other.
    let rebuilt = fixture.rebuilt(&parts);
    assert_eq!([tea, cup].map(|it| rebuilt.next_release(it)), [Some(307); 2]);
    let newer = fixture.parts();
    for shard in [tea.shard(), cup.shard()] {
        let mut mixed = parts.clone();
        mixed[shard] = newer[shard].clone();
        let rebuilt = fixture.rebuilt(&mixed);
        assert_eq!([tea, cup].map(|it| rebuilt.next_release(it)), [Some(307); 2]);
        assert_eq!(rebuilt.expire(order.shard(), 307), 1);
    }
}

#[test]
fn a_retry_hears_the_deadline_that_was_told_first() {
    let fixture = Fixture::new();
    let tea = fixture.stock(10);
    let order = reservation_of(fixture.reserve(tea, 1, 0));
    let key = IdempotencyKey::new("ann", "1").expect("a valid key");
    let keyed = Extend::new(order, 100).key(key);
    assert_eq!(fixture.extend(keyed, 20), extended(order, 120));
    for ledger in [&fixture, &fixture.rebuilt(&[]), &fixture.rebuilt(&fixture.parts())] {
        assert_eq!(ledger.extend(keyed, 90), extended(order, 120));
        let other = Command::Extend(Extend::until(order, 120).key(key));
        let error = ledger.ledger.execute(&other, 90, &ledger.list).expect_err("another request");
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }
}
