//! Commands that happen together: all of them in one event or none, each on what those before it
//! would leave, and once for each key.

use super::*;
use crate::base::{ATOMIC_COMMANDS_MAX, ATOMIC_LINES_MAX, BODY_BYTES_MAX};

struct Shop {
    fixture: Fixture,
    tea: AccountId,
    cup: AccountId,
    ann: AccountId,
    /// Two units in 100 ms.
    quota: AccountId,
}

impl Shop {
    /// Ten of tea, three cups, a hundred points.
    fn new() -> Self {
        Self::with(KeyLimits::default())
    }

    fn with(keys: KeyLimits) -> Self {
        let fixture = Fixture::with(keys);
        let tea = fixture.stock(10);
        let cup = fixture.open("stock/cup", Policy::strict());
        let ann = fixture.open("points/ann", Policy::strict());
        let window = Window::Rolling { length_ms: 100 };
        let quota = fixture.open("quota/ann/tea", Policy::quota(2, window));
        fixture.execute(Receive::new(cup, 3).into(), 0);
        fixture.execute(Receive::new(ann, 100).into(), 0);
        Self { fixture, tea, cup, ann, quota }
    }

    fn atomic(&self, atomic: Atomic<'_>, now: TimeMs) -> Result<(AtomicOutcome, Option<Seq>)> {
        self.fixture.ledger.execute_atomic(&atomic, now, &self.fixture.list)
    }

    fn done(&self, commands: &[Command<'_>], now: TimeMs) -> Vec<Outcome> {
        let (outcome, seq) = self.atomic(Atomic::new(commands), now).expect("they are sound");
        assert_eq!(seq, Some(self.fixture.list.last_seq()), "one event, the last");
        outcome.done().expect("each can happen")
    }

    fn refused(&self, commands: &[Command<'_>], now: TimeMs) -> (usize, Outcome) {
        let (outcome, seq) = self.atomic(Atomic::new(commands), now).expect("they are sound");
        assert_eq!(seq, None);
        outcome.done().expect_err("one cannot happen")
    }

    /// Everything that a snapshot shows, and what is told without a lock.
    fn all(&self) -> (Vec<(Seq, Vec<u8>)>, Vec<u64>) {
        let takeable = [self.tea, self.cup, self.ann, self.quota]
            .map(|account| self.fixture.ledger.gauge(account).expect("it exists").takeable());
        (self.fixture.parts(), takeable.to_vec())
    }

    /// Holds that the events and a snapshot make the same ledger.
    fn hold_rebuilt(&self, parts: &[(Seq, Vec<u8>)]) {
        for rebuilt in [self.fixture.rebuilt(&[]), self.fixture.rebuilt(parts)] {
            for account in [self.tea, self.cup, self.ann, self.quota] {
                assert_eq!(rebuilt.numbers(account), self.fixture.numbers(account));
            }
            assert_eq!(rebuilt.ledger.all_pending(), self.fixture.ledger.all_pending());
        }
    }
}

fn line(account: AccountId, quantity: u64) -> Line {
    Line { account, quantity }
}

fn key(name: &str) -> IdempotencyKey {
    IdempotencyKey::new("scope", name).expect("a valid key").owned_by("ann")
}

#[test]
fn each_is_decided_on_what_those_before_it_leave() {
    let shop = Shop::new();
    let held = reservation_of(shop.fixture.reserve(shop.tea, 4, 0));
    let parts = shop.fixture.parts();
    let before = shop.fixture.list.last_seq();
    let lines = [line(shop.tea, 9), line(shop.cup, 1)];
    let outcomes = shop.done(
        &[
            // Six are there; these four come back first.
            release(held),
            WriteOff::new(shop.tea, 1).into(),
            Command::Reserve(Reserve::new(&lines, 50).owner(shop.ann).details(b"d")),
            Transfer::new(shop.cup, shop.tea, 2).into(),
            Adjust::new(shop.tea, -2).into(),
            Receive::new(shop.ann, 5).into(),
        ],
        10,
    );
    assert_eq!(shop.fixture.list.last_seq(), before + 1, "one event");
    assert_eq!(outcomes[1].changed().map(|it| it.available), Some(9));
    let made = outcomes[2].reserved().expect("there were nine");
    assert_eq!((made.expires_at, made.confirmed), (60, false));
    assert_eq!(outcomes[4].changed().map(|it| it.available), Some(0));
    assert_eq!(shop.fixture.numbers(shop.tea), (0, 9, 0, 12, 3));
    assert_eq!(shop.fixture.numbers(shop.cup), (0, 1, 0, 3, 2));
    let pending = shop.fixture.ledger.all_pending();
    assert_eq!(pending.iter().map(|it| it.reservation).collect::<Vec<_>>(), [made.reservation]);
    shop.hold_rebuilt(&parts);
}

#[test]
fn two_reservations_of_one_shard_have_two_numbers_and_end_by_themselves() {
    let shop = Shop::new();
    let lines = [line(shop.tea, 5)];
    let reserve = Command::Reserve(Reserve::new(&lines, 50));
    let outcomes = shop.done(&[reserve, reserve], 10);
    let ids: Vec<_> = outcomes.into_iter().map(reservation_of).collect();
    assert!(ids[0] < ids[1], "{ids:?}");
    let (last, _) =
        shop.fixture.ledger.expire(ids[0].shard(), 60, 8, &shop.fixture.list).expect("it admits");
    assert_eq!(last.map(|(_, count)| count), Some(2), "both are on the wheel");
    assert_eq!(shop.fixture.numbers(shop.tea), (10, 0, 0, 10, 0));
}

#[test]
fn pending_reservations_are_confirmed_and_extended_beside_a_purchase() {
    let shop = Shop::new();
    let (first, second) =
        (shop.fixture.reserve(shop.tea, 2, 0), shop.fixture.reserve(shop.tea, 3, 1));
    let (first, second) = (reservation_of(first), reservation_of(second));
    let parts = shop.fixture.parts();
    let bought = [line(shop.tea, 1), line(shop.ann, 10), line(shop.quota, 1)];
    let outcomes = shop.done(
        &[
            Confirm::new(first).part(&[1]).into(),
            Extend::new(second, 70).into(),
            Command::Reserve(Reserve::new(&bought, 50).confirmed()),
        ],
        50,
    );
    assert_eq!(outcomes[0], Outcome::Confirm(ConfirmOutcome::Confirmed { reservation: first }));
    let extended = ExtendOutcome::Extended { reservation: second, expires_at: 120 };
    assert_eq!(outcomes[1], Outcome::Extend(extended));
    assert_eq!(shop.fixture.numbers(shop.tea), (5, 3, 2, 10, 0));
    let level = shop.fixture.ledger.takeable(shop.tea, 50).expect("it exists");
    assert_eq!(level, (5, Some(120)), "the deadlines in the account follow");
    shop.hold_rebuilt(&parts);
    assert_eq!(
        shop.fixture.execute(confirm(second), 119),
        Outcome::Confirm(ConfirmOutcome::Confirmed { reservation: second })
    );
}

#[test]
fn what_a_window_gives_back_is_in_the_same_event() {
    let shop = Shop::new();
    let lines = [line(shop.quota, 1)];
    let buy = Command::Reserve(Reserve::new(&lines, 50).confirmed());
    shop.done(&[buy, buy], 10);
    let (index, outcome) = shop.refused(&[buy], 20);
    let next = outcome.refusal().and_then(|refusal| refusal.next_release_at);
    assert_eq!((index, next), (0, Some(110)));
    let before = shop.fixture.list.last_seq();
    let parts = shop.fixture.parts();
    shop.done(&[buy, Receive::new(shop.tea, 1).into(), buy], 110);
    assert_eq!(shop.fixture.list.last_seq(), before + 1);
    let (kind, payload) = shop.fixture.list.0.lock().last().expect("there is one").clone();
    let event = decode(kind, &payload).expect("it decodes");
    let renewed = event.facts().iter().filter(|fact| matches!(fact, Fact::Renewed { .. }));
    assert_eq!((event.facts().len(), renewed.count()), (4, 1));
    shop.hold_rebuilt(&parts);
}

/// Would catch a part that stays when a later one cannot happen: in an account, a wheel, a gauge,
/// the numbers that were given out, or among the keys.
#[test]
fn when_one_cannot_happen_nothing_has() {
    let shop = Shop::new();
    let (held, late) =
        (shop.fixture.reserve(shop.tea, 2, 40), shop.fixture.reserve(shop.cup, 1, 0));
    let (held, late) = (reservation_of(held), reservation_of(late));
    let before = shop.all();
    let lines = [line(shop.tea, 3), line(shop.quota, 1)];
    let much = [line(shop.tea, 99)];
    let first: [Command<'_>; 5] = [
        Receive::new(shop.ann, 1).into(),
        Command::Reserve(Reserve::new(&lines, 50)),
        Command::Reserve(Reserve::new(&lines, 50).confirmed()),
        release(held),
        Transfer::new(shop.tea, shop.cup, 1).into(),
    ];
    let never = ReservationId::from_number(u64::MAX);
    let refused: [(Command<'_>, &str); 6] = [
        (WriteOff::new(shop.tea, 99).into(), "refused"),
        (Adjust::new(shop.tea, -99).into(), "refused"),
        (Command::Reserve(Reserve::new(&much, 50)), "refused"),
        (Transfer::new(shop.cup, shop.tea, 99).into(), "refused"),
        (confirm(late), "too late"),
        (release(never), "never made"),
    ];
    for (last, why) in refused {
        let commands = [&first[..], &[last]].concat();
        for key in [None, Some(key("k"))] {
            let (outcome, seq) =
                shop.atomic(Atomic::new(&commands).key(key), 120).expect("they are sound");
            let (index, outcome) = outcome.done().expect_err(why);
            assert_eq!((index, seq), (5, None), "{outcome:?}");
            assert_eq!(shop.all(), before, "{why}");
        }
    }
    let errors: [(Command<'_>, ErrorKind); 5] = [
        (Receive::new(shop.ann, 0).into(), ErrorKind::Invalid),
        (Receive::new(AccountId::from_number(640), 1).into(), ErrorKind::NotFound),
        (Receive::new(shop.ann, crate::base::RECEIVED_MAX).into(), ErrorKind::Invalid),
        (Transfer::new(shop.ann, shop.tea, 1).into(), ErrorKind::Invalid),
        (Confirm::new(late).key(key("own")).into(), ErrorKind::Invalid),
    ];
    for (last, kind) in errors {
        let commands = [&first[..], &[last]].concat();
        let error = shop.atomic(Atomic::new(&commands), 120).expect_err("it is malformed");
        assert_eq!((error.kind(), error.command()), (kind, Some(5)), "{error}");
        assert!(error.to_string().starts_with("command 5: "), "{error}");
        assert_eq!(shop.all(), before, "{error}");
    }
    let fits: [Command<'_>; 5] = first;
    shop.done(&fits, 120);
}

/// Would catch a check that does not look at the shelf as the commands before left it.
#[test]
fn a_refusal_counts_what_the_commands_before_it_take() {
    let shop = Shop::new();
    let lines = [line(shop.tea, 6)];
    let take = Command::Reserve(Reserve::new(&lines, 50));
    let (index, outcome) = shop.refused(&[take, take], 10);
    // The reservation that would hold the others is none that could lapse for somebody else.
    let refusal = outcome.refusal().expect("there are ten");
    assert_eq!((index, refusal.available, refusal.account), (1, 4, shop.tea));
    assert_eq!(shop.fixture.numbers(shop.tea), (10, 0, 0, 10, 0));
}

#[test]
fn the_bounds_hold() {
    let shop = Shop::new();
    let one: Command<'_> = Receive::new(shop.tea, 1).into();
    let check = |commands: &[Command<'_>], index: Option<usize>| {
        let error = shop.atomic(Atomic::new(commands), 0).expect_err("a bound");
        assert_eq!((error.kind(), error.command()), (ErrorKind::Invalid, index), "{error}");
    };
    check(&[], None);
    check(&[one; ATOMIC_COMMANDS_MAX + 1], None);
    let most = [one; ATOMIC_COMMANDS_MAX];
    assert_eq!(shop.done(&most, 0).len(), ATOMIC_COMMANDS_MAX);
    let text = "x".repeat(BODY_BYTES_MAX / 2 + 1);
    let noted = Receive::new(shop.tea, 1).note(&text).into();
    check(&[noted, noted], None);
    shop.done(&[noted, one], 0);
    let lines = [line(shop.ann, 1); 64];
    let wide = Command::Reserve(Reserve::new(&lines, 50).confirmed());
    shop.fixture.execute(Receive::new(shop.ann, 1000).into(), 0);
    let whole = ATOMIC_LINES_MAX / lines.len();
    shop.done(&vec![wide; whole], 0);
    check(&[vec![wide; whole], vec![one]].concat(), Some(whole));
    let held = reservation_of(shop.fixture.reserve(shop.tea, 1, 0));
    check(&[Extend::new(held, 5).into(), one, confirm(held)], Some(2));
}

/// Would catch somebody who confirms what the same request reserves, by guessing its number.
#[test]
fn what_is_reserved_is_pending_only_once_all_has_happened() {
    let shop = Shop::new();
    let guessed = reservation_of(shop.fixture.reserve(shop.tea, 1, 7));
    let next = ReservationId::new(guessed.shard(), guessed.count() + 1);
    let lines = [line(shop.tea, 1)];
    let reserve = Command::Reserve(Reserve::new(&lines, 50));
    let why = NotPending::NeverMade;
    let not_pending = Outcome::Confirm(ConfirmOutcome::NotPending { reservation: next, why });
    assert_eq!(shop.refused(&[reserve, confirm(next)], 7), (1, not_pending));
    assert_eq!(reservation_of(shop.done(&[reserve], 7)[0]), next);
}

#[test]
fn a_retry_hears_the_first_outcomes_whole() {
    let shop = Shop::new();
    let lines = [line(shop.tea, 2)];
    let held = reservation_of(shop.fixture.reserve(shop.cup, 1, 0));
    let commands: [Command<'_>; 4] = [
        Command::Reserve(Reserve::new(&lines, 50)),
        WriteOff::new(shop.tea, 1).note("broken").into(),
        confirm(held),
        Transfer::new(shop.tea, shop.cup, 1).into(),
    ];
    let request = Atomic::new(&commands).key(key("k"));
    let first = shop.atomic(request, 10).expect("it is sound");
    assert!(matches!(first, (AtomicOutcome::Done(_), Some(_))), "{first:?}");
    let parts = shop.fixture.parts();
    assert_eq!(shop.atomic(request, 20).expect("it is a retry"), first);
    for rebuilt in [shop.fixture.rebuilt(&[]), shop.fixture.rebuilt(&parts)] {
        let again = rebuilt.ledger.execute_atomic(&request, 20, &rebuilt.list);
        assert_eq!(again.expect("it is a retry"), first);
    }
    let told = shop.fixture.first_answer(key("k")).expect("it is the key's");
    assert!(matches!(told, Some(FirstAnswer::Atomic(answers)) if answers.len() == 4));

    let mut other = commands;
    other[1] = WriteOff::new(shop.tea, 1).note("stolen").into();
    for commands in [&other[..], &commands[..3], &[commands[1], commands[0]]] {
        let error = shop.atomic(Atomic::new(commands).key(key("k")), 20).expect_err("another");
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }
    let receive = Command::Receive(Receive::new(shop.tea, 1).key(key("k")));
    let error = shop.fixture.ledger.execute(&receive, 20, &shop.fixture.list);
    assert_eq!(error.expect_err("another").kind(), ErrorKind::Conflict);
    // A body of the caller's own tells no kinds apart.
    let body = key("b").with_body(b"same");
    shop.atomic(Atomic::new(&commands[..2]).key(body), 20).expect("it is new");
    let receive = Command::Receive(Receive::new(shop.tea, 1).key(body));
    let error = shop.fixture.ledger.execute(&receive, 20, &shop.fixture.list);
    assert_eq!(error.expect_err("another").kind(), ErrorKind::Conflict);
}

/// Would catch answers that are larger than what bounds their memory counts.
#[test]
fn a_key_of_many_commands_counts_for_more() {
    let shop = Shop::with(KeyLimits { window_ms: 100, per_owner_max: 8, ..KeyLimits::default() });
    let one: Command<'_> = Receive::new(shop.tea, 1).into();
    let try_at = |name: &str, commands: usize, now| {
        let commands = vec![one; commands];
        let tried = shop.atomic(Atomic::new(&commands).key(key(name)), now);
        tried.map(|_| ()).map_err(|error| error.kind())
    };
    assert_eq!(try_at("a", 3, 0), Ok(()), "as four");
    assert_eq!(try_at("b", 4, 1), Err(ErrorKind::Throttled), "four are left, and this is five");
    assert_eq!(try_at("b", 3, 1), Ok(()));
    assert_eq!(try_at("c", 1, 2), Err(ErrorKind::Throttled));
    assert_eq!(try_at("a", 3, 3), Ok(()), "a retry");
    assert_eq!(try_at("a", 3, 100), Ok(()), "its time is over, and it is new");
    assert_eq!(try_at("c", 7, 101), Err(ErrorKind::Throttled), "a has four again");
    assert_eq!(try_at("c", 3, 101), Ok(()), "and b's are free");
    assert_eq!(try_at("d", 1, 101), Err(ErrorKind::Throttled));
}

#[test]
fn documents_and_rules_are_put_once_for_a_key() {
    let shop = Shop::new();
    let fixture = &shop.fixture;
    let put = PutDocument::new("product", "tea", b"{}").key(key("d"));
    let first = fixture.ledger.put_document(&put, 0, &fixture.list).expect("it is new");
    fixture
        .ledger
        .put_document(&PutDocument::remove("product", "tea"), 1, &fixture.list)
        .expect("without a key");
    assert_eq!(fixture.ledger.put_document(&put, 2, &fixture.list).expect("a retry"), first);
    assert!(fixture.ledger.documents("product").is_empty(), "nothing was written again");
    let rule = Policy::backorder(1);
    let set = SetPolicy::new(shop.tea, rule).key(key("p"));
    let first = fixture.ledger.set_policy(&set, 2, &fixture.list).expect("it is new");
    assert!(first.is_some());
    let parts = fixture.parts();
    fixture
        .ledger
        .set_policy(&SetPolicy::new(shop.tea, Policy::strict()), 3, &fixture.list)
        .expect("without a key");
    for (ledger, list) in [
        (&fixture.ledger, &fixture.list),
        (&fixture.rebuilt(&[]).ledger, &fixture.list),
        (&fixture.rebuilt(&parts).ledger, &fixture.list),
    ] {
        let before = list.last_seq();
        assert_eq!(ledger.set_policy(&set, 4, list).expect("a retry"), first);
        let others: [(&str, Result<()>); 6] = [
            (
                "rules",
                ledger
                    .set_policy(&SetPolicy { policy: Policy::backorder(2), ..set }, 4, list)
                    .map(drop),
            ),
            (
                "an account",
                ledger.set_policy(&SetPolicy { account: shop.cup, ..set }, 4, list).map(drop),
            ),
            ("a key of rules", ledger.put_document(&put.key(key("p")), 4, list).map(drop)),
            ("a key of documents", ledger.set_policy(&set.key(key("d")), 4, list).map(drop)),
            (
                "a body",
                ledger.put_document(&PutDocument { body: Some(b"[]"), ..put }, 4, list).map(drop),
            ),
            ("no body", ledger.put_document(&PutDocument { body: None, ..put }, 4, list).map(drop)),
        ];
        for (what, tried) in others {
            assert_eq!(tried.expect_err(what).kind(), ErrorKind::Conflict, "{what}");
        }
        assert_eq!(list.last_seq(), before, "nothing happened");
    }
    assert_eq!(
        fixture.first_answer(key("d")).expect("it is known"),
        Some(FirstAnswer::DocumentPut)
    );
}

/// Would catch tests that find nothing: half of what is refused is kept.
#[test]
#[cfg(not(stockhold_loom))]
fn keeping_half_is_seen() {
    let shop = Shop::new();
    let before = shop.all();
    let commands = [Receive::new(shop.tea, 1).into(), WriteOff::new(shop.cup, 99).into()];
    crate::base::flaw::with(crate::base::flaw::Flaw::KeepsHalf, || shop.refused(&commands, 0));
    assert_ne!(shop.all(), before);
}
