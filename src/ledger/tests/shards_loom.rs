//! loom tries every interleaving of commands on the ledger itself. Would catch a unit that two
//! callers got, a reservation that ended twice, events in another order than the changes, a
//! deadlock between shards, and a refusal while there was stock throughout.

use super::*;
use crate::base::sync::{Arc, check, thread};
use crate::ledger::accounts::shard_of;

/// Three would take minutes for the models of four threads.
const PREEMPTIONS: usize = 2;

/// A ledger with a stock account in each of loom's two shards, shared by threads.
#[derive(Clone)]
struct World {
    fixture: Arc<Fixture>,
    tea: AccountId,
    cup: AccountId,
}

impl World {
    fn new(tea: u64, cup: u64) -> Self {
        let fixture = Fixture::new();
        let in_shard = |shard| {
            let key =
                (0..).map(|number| AccountKey::stock(&format!("p{number}")).expect("a valid key"));
            let key =
                { key }.find(|key| shard_of(key) == shard).expect("some key is in each shard");
            fixture.open(key.as_str(), Policy::strict())
        };
        let (tea_account, cup_account) = (in_shard(0), in_shard(1));
        for (account, quantity) in
            [(tea_account, tea), (cup_account, cup)].into_iter().filter(|(_, units)| *units > 0)
        {
            fixture
                .execute(Command::Receive(Receive { account, quantity, note: "", key: None }), 0);
        }
        Self { fixture: Arc::new(fixture), tea: tea_account, cup: cup_account }
    }

    /// One unit of each, the tea's shard first.
    fn both(&self) -> [Line; 2] {
        [Line { account: self.tea, quantity: 1 }, Line { account: self.cup, quantity: 1 }]
    }

    fn teas(&self, quantity: u64) -> [Line; 1] {
        [Line { account: self.tea, quantity }]
    }

    fn reserve(&self, lines: &[Line]) -> Outcome {
        self.fixture.execute(Command::Reserve(Reserve::new(lines, 10)), 0)
    }

    fn spawn<T: 'static>(&self, act: impl FnOnce(&Self) -> T + 'static) -> thread::JoinHandle<T> {
        let world = self.clone();
        thread::spawn(move || act(&world))
    }

    /// Replays the events, which audits every prefix of them, and holds the ledger to what comes
    /// out.
    fn audit(&self) {
        let rebuilt = self.fixture.rebuilt(&[]);
        assert_eq!(
            rebuilt.ledger.levels(),
            self.fixture.ledger.levels(),
            "the events' order is the changes' order"
        );
        assert_eq!(rebuilt.ledger.pending_count(), self.fixture.ledger.pending_count());
        for account in [self.tea, self.cup] {
            let takeable = self.fixture.ledger.takeable(account, 0).expect("the account exists").0;
            assert_eq!(
                takeable as i64,
                self.fixture.numbers(account).0,
                "the gauge shows the last change"
            );
        }
    }
}

fn join<T>(thread: thread::JoinHandle<T>) -> T {
    thread.join().expect("no thread of a model panics")
}

fn is_reserved(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Reserve(ReserveOutcome::Reserved(Reserved { .. })))
}

#[test]
fn loom_two_reservers_and_one_unit() {
    fn run(first: fn(&World) -> Vec<Line>, second: fn(&World) -> Vec<Line>) {
        let world = World::new(1, 1);
        let other = world.spawn(move |world| world.reserve(&first(world)));
        let outcomes = [world.reserve(&second(&world)), join(other)];
        assert_eq!(
            outcomes.into_iter().filter(|outcome| is_reserved(*outcome)).count(),
            1,
            "{outcomes:?}"
        );
        let refused = outcomes.into_iter().find(|outcome| !is_reserved(*outcome));
        let refused_at = match refused {
            Some(Outcome::Reserve(ReserveOutcome::Refused(refusal))) => Some(refusal.available),
            _ => None,
        };
        assert_eq!(refused_at, Some(0), "{outcomes:?}");
        world.audit();
    }
    let backwards = |world: &World| world.both().into_iter().rev().collect();
    check("one line", PREEMPTIONS, || {
        run(|world| world.teas(1).to_vec(), |world| world.teas(1).to_vec())
    });
    check("two lines, in both orders", PREEMPTIONS, move || {
        run(|world| world.both().to_vec(), backwards)
    });
    check("one of two lines", PREEMPTIONS, || {
        run(|world| world.both().to_vec(), |world| world.teas(1).to_vec())
    });
}

#[test]
fn loom_a_reservation_ends_exactly_once() {
    check("reserve, release, expire, confirm", PREEMPTIONS, || {
        let world = World::new(1, 1);
        let reservation = reservation_of(world.reserve(&world.both()));
        let confirmer = world.spawn(move |world| world.fixture.execute(confirm(reservation), 9));
        let releaser = world.spawn(move |world| world.fixture.execute(release(reservation), 9));
        let wheel = world.spawn(move |world| {
            let expired =
                world.fixture.ledger.expire(reservation.shard(), 10, 8, &world.fixture.list);
            expired.expect("the list admits").0.map_or(0, |(_, count)| count)
        });
        let lines = world.both();
        let later = Command::Reserve(Reserve::new(&lines, 100));
        let taken = is_reserved(world.fixture.execute(later, 0));
        let confirmed =
            join(confirmer) == Outcome::Confirm(ConfirmOutcome::Confirmed { reservation });
        let released = join(releaser) == Outcome::Release(ReleaseOutcome::Released { reservation });
        let expired = join(wheel) == 1;
        assert_eq!(
            [confirmed, released, expired].into_iter().filter(|ended| *ended).count(),
            1,
            "it ends once"
        );
        assert!(!(confirmed && taken), "the unit was sold twice");
        let held = u64::from(taken);
        let left = i64::from(!confirmed && !taken);
        for account in [world.tea, world.cup] {
            assert_eq!(world.fixture.numbers(account), (left, held, u64::from(confirmed), 1, 0));
        }
        world.audit();
    });
}

// Who stores to a gauge is the model's first thread, and who reads it is another: loom keeps one
// access for each atomic, and would forget the first thread's read when the other one reads too.

/// Two teas are reserved and `free` ones are there as `act` begins; one is there throughout: who
/// wants it is never refused.
fn never_sold_out(name: &str, free: u64, act: fn(&World, ReservationId)) {
    check(name, PREEMPTIONS, move || {
        let world = World::new(free + 2, 0);
        let held = reservation_of(world.reserve(&world.teas(2)));
        let buyer = world.spawn(|world| {
            for _ in 0..2 {
                let refused =
                    world.fixture.ledger.refuse_fast(&Reserve::new(&world.teas(1), 10), 0);
                assert_eq!(refused, None, "a unit was there throughout");
            }
            assert!(is_reserved(world.reserve(&world.teas(1))), "a unit was there throughout");
        });
        act(&world, held);
        join(buyer);
        world.audit();
    });
}

#[test]
fn loom_the_fast_path_never_refuses_while_stock_was_there_throughout() {
    never_sold_out("take one and give it back", 2, |world, _| {
        let reservation = reservation_of(world.reserve(&world.teas(1)));
        world.fixture.execute(release(reservation), 1);
    });
    never_sold_out("take in two lines", 3, |world, _| {
        assert!(is_reserved(world.reserve(&[world.teas(1), world.teas(1)].concat())));
    });
    never_sold_out("fail on the second line", 1, |world, _| {
        // With a key, so that the locked path decides.
        let key = IdempotencyKey::from_number(1);
        let outcome =
            world.fixture.execute(Command::Reserve(Reserve::new(&world.both(), 10).key(key)), 0);
        assert!(matches!(outcome, Outcome::Reserve(ReserveOutcome::Refused(_))), "{outcome:?}");
    });
    never_sold_out("confirm in part", 1, |world, reservation| {
        let part = Command::Confirm(Confirm {
            reservation,
            owner: None,
            quantities: Some(&[1]),
            key: None,
        });
        assert_eq!(
            world.fixture.execute(part, 1),
            Outcome::Confirm(ConfirmOutcome::Confirmed { reservation })
        );
    });
    never_sold_out("correct a count", 2, |world, _| {
        world.fixture.execute(Command::Adjust(Adjust::new(world.tea, -1)), 1);
        world.fixture.execute(
            Command::Receive(Receive { account: world.tea, quantity: 1, note: "", key: None }),
            1,
        );
    });
}

#[test]
fn loom_a_refusal_names_what_was_there() {
    check("two lines of one account at once", PREEMPTIONS, || {
        let world = World::new(3, 0);
        let buyer = world.spawn(|world| {
            let refused = world.fixture.ledger.refuse_fast(&Reserve::new(&world.teas(3), 10), 0);
            let there = matches!(refused, None | Some(Refusal { available: 1, .. }));
            assert!(there, "there were 3, and then 1: {refused:?}");
        });
        assert!(is_reserved(world.reserve(&[world.teas(1), world.teas(1)].concat())));
        join(buyer);
        world.audit();
    });
}

#[test]
fn loom_a_retry_has_one_effect() {
    check("the same key twice at once", PREEMPTIONS, || {
        let world = World::new(2, 2);
        let reserve = |world: &World| {
            let key = IdempotencyKey::from_number(1);
            world.fixture.execute(Command::Reserve(Reserve::new(&world.both(), 10).key(key)), 0)
        };
        let other = world.spawn(reserve);
        let first = reserve(&world);
        assert_eq!(join(other), first, "one answer");
        assert!(is_reserved(first));
        assert_eq!(world.fixture.ledger.pending_count(), 1, "one effect");
        world.audit();
    });
}

#[test]
fn loom_a_checkpoint_taken_meanwhile_and_the_events_after_it_are_the_ledger() {
    check("parts", PREEMPTIONS, || {
        let world = World::new(2, 2);
        let other = world.spawn(|world| {
            let reservation = reservation_of(world.reserve(&world.both()));
            world.fixture.execute(confirm(reservation), 1);
        });
        let parts = world.fixture.parts();
        join(other);
        let rebuilt = world.fixture.rebuilt(&parts);
        assert_eq!(rebuilt.ledger.levels(), world.fixture.ledger.levels());
        assert_eq!(rebuilt.ledger.pending_count(), 0);
        world.audit();
    });
}
