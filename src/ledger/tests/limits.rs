//! Limits against an oracle that knows nothing of accounts: a plain list of uses with their times,
//! and how many units a user may still take at a moment under a rule. Every kind of window meets
//! every event.

use super::super::accounts::shard_of;
use super::*;
use crate::ledger::Confirm;
use crate::vfs::crash::Chance;

const WINDOWS: [Window; 6] = [
    Window::Never,
    Window::Fixed { length_ms: 100, offset_ms: 0 },
    Window::Fixed { length_ms: 250, offset_ms: 30 },
    Window::Rolling { length_ms: 60 },
    Window::Rolling { length_ms: 400 },
    Window::Outstanding,
];

/// What is known of one user and one product.
struct Oracle {
    rule: Policy,
    now: TimeMs,
    /// What orders hold that wait.
    held: Vec<(ReservationId, u64, TimeMs)>,
    /// What orders consumed that were not returned, and when.
    uses: Vec<(ReservationId, TimeMs, u64)>,
}

impl Oracle {
    /// How many units the user may take now under a rule.
    fn may_take(&self, rule: Policy) -> u64 {
        let counts = |at: TimeMs| match rule.window {
            Window::Never => true,
            Window::Outstanding => false,
            Window::Rolling { length_ms } => self.now - at < length_ms,
            Window::Fixed { length_ms, offset_ms } => {
                let window =
                    |time: TimeMs| (time as i64 - offset_ms as i64).div_euclid(length_ms as i64);
                window(at) == window(self.now)
            }
        };
        let held: u64 = self.held.iter().map(|(_, quantity, _)| quantity).sum();
        let used: u64 = self
            .uses
            .iter()
            .filter(|(_, at, _)| counts(*at))
            .map(|(_, _, quantity)| quantity)
            .sum();
        rule.limit.saturating_sub(held + used)
    }
}

/// A quota of the ledger and the oracle beside it.
struct Run {
    fixture: Fixture,
    quota: AccountId,
    oracle: Oracle,
}

impl Run {
    fn new(rule: Policy) -> Self {
        let fixture = Fixture::new();
        let quota = fixture.open("quota/ann/tea", rule);
        Self {
            fixture,
            quota,
            oracle: Oracle { rule, now: 1_000, held: Vec::new(), uses: Vec::new() },
        }
    }

    fn set_rule(&mut self, rule: Policy) {
        self.fixture
            .ledger
            .set_policy(&SetPolicy::new(self.quota, rule), self.oracle.now, &self.fixture.list)
            .expect("any rule goes");
        self.oracle.rule = rule;
        self.check("a changed rule");
    }

    fn take(&mut self, quantity: u64, confirm: bool) -> Option<ReservationId> {
        let (now, lines) = (self.oracle.now, [Line { account: self.quota, quantity }]);
        let reserve = Reserve { confirm, ..Reserve::new(&lines, 40) };
        let fits = quantity <= self.oracle.may_take(self.oracle.rule);
        // A cap does not look at what never waits.
        let fits = fits || (confirm && self.oracle.rule.window == Window::Outstanding);
        let outcome = self.fixture.execute(Command::Reserve(reserve), now);
        let Outcome::Reserve(ReserveOutcome::Reserved(Reserved { reservation, .. })) = outcome
        else {
            assert!(!fits, "{quantity} units are refused at {now}: {outcome:?}");
            return None;
        };
        assert!(fits, "{quantity} units are taken at {now} under {:?}", self.oracle.rule);
        match confirm {
            true => self.oracle.uses.push((reservation, now, quantity)),
            false => self.oracle.held.push((reservation, quantity, now + 40)),
        }
        self.check("a take");
        Some(reservation)
    }

    fn buy(&mut self, quantity: u64) -> ReservationId {
        self.take(quantity, true).expect("the limit allows it")
    }

    fn confirm(&mut self, pick: usize, quantity: u64) {
        let Some((reservation, held, expires_at)) = self.oracle.held.get(pick).copied() else {
            return;
        };
        let parts = [quantity.min(held)];
        let confirm = Command::Confirm(Confirm {
            reservation,
            owner: None,
            quantities: Some(&parts),
            key: None,
        });
        if self.fixture.execute(confirm, self.oracle.now)
            == (Outcome::Confirm(ConfirmOutcome::Confirmed { reservation }))
        {
            self.oracle.held.remove(pick);
            self.oracle.uses.push((reservation, self.oracle.now, parts[0]));
        } else {
            assert!(self.oracle.now >= expires_at);
        }
        self.check("a confirm");
    }

    fn release(&mut self, pick: usize) {
        let Some((reservation, _, expires_at)) = self.oracle.held.get(pick).copied() else {
            return;
        };
        if self.fixture.execute(release(reservation), self.oracle.now)
            == (Outcome::Release(ReleaseOutcome::Released { reservation }))
        {
            self.oracle.held.remove(pick);
        } else {
            assert!(self.oracle.now >= expires_at);
        }
        self.check("a release");
    }

    fn expire(&mut self) {
        let now = self.oracle.now;
        let expired =
            self.fixture.ledger.expire(self.quota.shard(), now, 1_000, &self.fixture.list);
        expired.expect("the list admits");
        self.oracle.held.retain(|(_, _, expires_at)| *expires_at > now);
        self.check("an expiry");
    }

    fn give_back(&mut self, reservation: ReservationId) {
        let place = self
            .oracle
            .uses
            .iter()
            .position(|(id, ..)| *id == reservation)
            .expect("it was consumed");
        let (_, consumed_at, quantity) = self.oracle.uses.remove(place);
        let lines = [Line { account: self.quota, quantity }];
        let used = Used { reservation, lines: &consumed(&lines), consumed_at };
        let returned = self.fixture.ledger.return_used(
            &used,
            &Return::default(),
            self.oracle.now,
            &self.fixture.list,
        );
        assert_eq!(returned.expect("it was consumed").0, RefundOutcome::Returned { reservation });
        self.check("a return");
    }

    #[track_caller]
    fn check(&self, after: &str) {
        let Oracle { now, rule, .. } = self.oracle;
        let level = self.fixture.ledger.level(self.quota).expect("it is open");
        assert_eq!(level.policy, rule, "the rule that shows is the rule that holds");
        assert!(level.available >= 0, "{level:?} after {after}");
        let out = level.available as u64 + level.reserved + level.consumed + level.written_off;
        assert_eq!(level.received, out, "{level:?} after {after}");
        let takeable = self.fixture.ledger.takeable(self.quota, now).expect("it is open").0;
        assert_eq!(
            takeable,
            self.oracle.may_take(rule),
            "what may be taken at {now} under {rule:?} after {after}"
        );
    }

    /// What the events and a checkpoint come to is the same, under every rule that may come.
    fn check_rebuilt(&self) {
        let none = Vec::new();
        for parts in [none, self.fixture.parts()] {
            let rebuilt = self.fixture.rebuilt(&parts);
            assert_eq!(rebuilt.ledger.levels(), self.fixture.ledger.levels());
            for window in WINDOWS {
                let rule = Policy::quota(1_000, window);
                rebuilt
                    .ledger
                    .set_policy(&SetPolicy::new(self.quota, rule), self.oracle.now, &rebuilt.list)
                    .expect("any rule goes");
                let takeable =
                    rebuilt.ledger.takeable(self.quota, self.oracle.now).expect("it is open").0;
                assert_eq!(takeable, self.oracle.may_take(rule), "under {rule:?} after a restart");
            }
        }
    }
}

#[test]
fn every_rule_and_every_event_agree_with_the_oracle() {
    for seed in 0..400 {
        let mut chance = Chance::new(seed);
        let rule = |chance: &mut Chance| {
            Policy::quota(chance.below(9) as u64, WINDOWS[chance.below(WINDOWS.len())])
        };
        let first = rule(&mut chance);
        let mut run = Run::new(first);
        for _ in 0..80 {
            let (pick, quantity) = (chance.below(3), 1 + chance.below(3) as u64);
            match chance.below(10) {
                0 | 1 => drop(run.take(quantity, true)),
                2 | 3 => drop(run.take(quantity, false)),
                4 => run.confirm(pick, quantity),
                5 => run.release(pick),
                6 => run.expire(),
                7 if !run.oracle.uses.is_empty() => {
                    let (reservation, ..) = run.oracle.uses[chance.below(run.oracle.uses.len())];
                    run.give_back(reservation);
                }
                8 if chance.below(3) == 0 => {
                    let next = rule(&mut chance);
                    run.set_rule(next);
                }
                _ => {
                    run.oracle.now += chance.below(60) as u64;
                    run.check("a while");
                }
            }
        }
        run.check_rebuilt();
    }
}

/// The field's own case: a day's purchase that is returned the day after.
#[test]
fn a_return_gives_back_the_use_of_its_own_window() {
    let mut run = Run::new(Policy::quota(1, Window::Fixed { length_ms: 1_000, offset_ms: 0 }));
    let first = run.buy(1);
    run.oracle.now += 1_000;
    let second = run.buy(1);
    run.give_back(first);
    assert_eq!(run.take(1, true), None, "the second day's unit is used");
    run.give_back(second);
    run.buy(1);
}

#[test]
fn a_changed_period_holds_at_once_and_counts_what_was_bought() {
    let (ever, daily) = (Window::Never, Window::Fixed { length_ms: 1_000, offset_ms: 0 });
    let mut run = Run::new(Policy::quota(1, ever));
    run.buy(1);
    run.oracle.now += 1_000;
    assert_eq!(run.take(1, true), None);
    run.set_rule(Policy::quota(1, daily));
    run.buy(1);
    run.set_rule(Policy::quota(2, ever));
    assert_eq!(run.take(1, true), None, "both days' purchases count for ever");
    run.set_rule(Policy::quota(1, ever));
    let level = run.fixture.ledger.level(run.quota).expect("it is open");
    assert_eq!(
        (level.available, level.consumed, level.received),
        (0, 2, 2),
        "the one too many is not below zero"
    );
    run.oracle.now += 1_000;
    run.set_rule(Policy::quota(1, daily));
    run.buy(1);
    run.set_rule(Policy::quota(4, Window::Rolling { length_ms: 1_500 }));
    run.buy(2);
}

#[test]
fn a_lowered_limit_holds_at_once_and_is_made_up_for_by_what_comes_back() {
    let mut run = Run::new(Policy::quota(5, Window::Never));
    let bought = run.buy(2);
    run.take(3, false).expect("three are left");
    run.set_rule(Policy::quota(2, Window::Never));
    assert_eq!(run.take(1, true), None);
    run.release(0);
    assert_eq!(run.take(1, true), None, "the two that were bought are what the limit grants");
    run.give_back(bought);
    run.buy(2);
    run.set_rule(Policy::quota(3, Window::Never));
    run.buy(1);
}

#[test]
fn what_was_bought_under_a_cap_counts_for_a_limit() {
    let mut run = Run::new(Policy::quota(1, Window::Outstanding));
    for _ in 0..3 {
        run.take(1, false).expect("one at a time");
        run.confirm(0, 1);
    }
    run.buy(2);
    run.set_rule(Policy::quota(6, Window::Never));
    run.buy(1);
    assert_eq!(run.take(1, true), None);
}

#[test]
fn nothing_is_returned_that_was_not_consumed() {
    let fixture = Fixture::new();
    let (tea, quota) =
        (fixture.stock(9), fixture.open("quota/ann/tea", Policy::quota(9, Window::Never)));
    let lines = [Line { account: quota, quantity: 2 }, Line { account: tea, quantity: 2 }];
    let reserve = |confirm| Command::Reserve(Reserve { confirm, ..Reserve::new(&lines, 100) });
    let bought = reservation_of(fixture.execute(reserve(true), 10));
    let waiting = reservation_of(fixture.execute(reserve(false), 20));
    let never = ReservationId::from_number(bought.number() + (1_000 << 18));
    let elsewhere = ReservationId::new(SHARD_COUNT - 1, 3);
    let refused = |reservation, lines: &[Line], consumed_at| {
        let used = Used { reservation, lines: &consumed(lines), consumed_at };
        let before = fixture.ledger.levels();
        let error = fixture
            .ledger
            .return_used(&used, &Return::default(), 30, &fixture.list)
            .expect_err("nothing shows that");
        assert_eq!(
            (error.kind(), fixture.ledger.levels()),
            (ErrorKind::Conflict, before),
            "{error}"
        );
    };
    refused(waiting, &lines, 20);
    refused(never, &lines, 10);
    refused(elsewhere, &lines, 10);
    refused(bought, &lines, 15);
    refused(bought, &lines, 31);
    refused(bought, &[Line { account: quota, quantity: 3 }], 10);
    refused(bought, &[Line { account: tea, quantity: 3 }], 10);
    let used = Used { reservation: bought, lines: &consumed(&lines), consumed_at: 10 };
    fixture
        .ledger
        .return_used(&used, &Return::default(), 30, &fixture.list)
        .expect("this is what it consumed");
    refused(bought, &lines, 10);
}

/// A snapshot and events of the release before, which kept when units come back and not when they
/// were used.
#[test]
fn events_of_the_first_release_replay_as_they_did() {
    let fixture = Fixture::new();
    let daily = Window::Fixed { length_ms: 1_000, offset_ms: 0 };
    let quota = fixture.open("quota/ann/tea", Policy::quota(2, daily));
    let lines = [Line { account: quota, quantity: 1 }];
    let buy = |now| {
        reservation_of(
            fixture.execute(Command::Reserve(Reserve::new(&lines, 100).confirmed()), now),
        )
    };
    let first = buy(10);
    // What came back was forgotten, and a return took the newest.
    let old = |at, fact| {
        let mut locked = LockedShards::lock(&fixture.ledger.shards, bit(quota.shard()));
        commit(&mut locked, &Event { at, request: None, fact }, &fixture.list);
    };
    old(1_000, Fact::Renewed { account: quota, quantity: 1, available: 2, kept: false });
    let second = buy(1_500);
    let line =
        crate::event::EventLine { account: quota.number(), quantity: 1, consumed: 0, available: 2 };
    let back = || [line].into_iter().collect();
    old(
        1_600,
        Fact::Returned {
            reservation: second,
            lines: back(),
            note: "".into(),
            consumed_at: None,
            expires_at: 0,
            part: None,
        },
    );
    old(
        1_700,
        Fact::PolicyChanged {
            account: quota,
            policy: Policy::quota(1, daily),
            available: 1,
            consumed: None,
        },
    );
    assert_eq!(fixture.numbers(quota), (1, 0, 0, 1, 0));
    let rebuilt = fixture.rebuilt(&[]);
    assert_eq!(rebuilt.ledger.levels(), fixture.ledger.levels());
    // An order whose use was forgotten is returned all the same; its unit came back before.
    let used = Used { reservation: first, lines: &consumed(&lines), consumed_at: 10 };
    rebuilt
        .ledger
        .return_used(&used, &Return::default(), 1_800, &rebuilt.list)
        .expect("it may have been forgotten");
    assert_eq!(rebuilt.numbers(quota), (1, 0, 0, 1, 0));
}

/// A shard of a checkpoint of version 1, by `docs/format.md`: one account, which renews so many
/// units at these times.
fn first_version(
    key: &str,
    policy: [u64; 5],
    consumed: u64,
    renewals: &[(TimeMs, u64)],
) -> Vec<u8> {
    let mut bytes = 1_u64.to_le_bytes().to_vec();
    bytes.extend_from_slice(&(key.len() as u32).to_le_bytes());
    bytes.extend_from_slice(key.as_bytes());
    let limit = policy[1];
    let counters = [limit - consumed, 0, consumed, limit, 0, 0, renewals.len() as u64];
    let renewals = renewals.iter().flat_map(|(at, quantity)| [*at, *quantity]);
    // Behind the account: no reservation is numbered or pending, and no answer kept.
    let numbers = policy.into_iter().chain(counters).chain(renewals).chain([1_000, 0, 0]);
    numbers.for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
    bytes
}

#[test]
fn a_checkpoint_of_the_first_version_is_read_for_what_it_knew() {
    let (hour, now) = (3_600_000, 1_000_000_000);
    let (key, daily) = ("quota/ann/tea", 24 * hour);
    let day_starts = now - now % daily;
    let reservation = |account: AccountId| ReservationId::new(account.shard(), 7);
    for (policy, renewals, consumed_at) in [
        ([0, 3, 0, 0, 0], vec![], now - 900 * hour / 1_000),
        ([0, 3, 2, daily, 0], vec![(now - hour + daily, 2)], now - hour),
        ([0, 3, 1, daily, 0], vec![(day_starts + daily, 2)], day_starts + 5),
    ] {
        let fixture = Fixture::new();
        let shard = shard_of(&key.parse().expect("a valid key"));
        let mut replay = Replay::new(&fixture.ledger);
        let part = first_version(key, policy, 2, &renewals);
        replay.load(Layout { version: 1, taken_at: now }, shard, 0, &part).expect("it is whole");
        drop(replay);
        let account =
            fixture.ledger.account(&key.parse().expect("a valid key")).expect("it is there");
        let takeable = |now| fixture.ledger.takeable(account, now).expect("it is open").0;
        assert_eq!(takeable(now), 1);
        if let Some((back_at, _)) = renewals.first() {
            assert_eq!(
                (takeable(back_at - 1), takeable(*back_at)),
                (1, 3),
                "it comes back when it would have"
            );
        }
        // Bought before the upgrade, it counts under whatever rule comes, and is returned by its
        // own order.
        for window in [Window::Never, Window::Rolling { length_ms: daily }] {
            fixture
                .ledger
                .set_policy(&SetPolicy::new(account, Policy::quota(9, window)), now, &fixture.list)
                .expect("any rule goes");
            assert_eq!(takeable(now), 7, "{window:?}");
        }
        let lines = [Line { account, quantity: 2 }];
        let used =
            Used { reservation: reservation(account), lines: &consumed(&lines), consumed_at };
        fixture
            .ledger
            .return_used(&used, &Return::default(), now, &fixture.list)
            .expect("it may have been consumed then");
        assert_eq!(takeable(now), 9);
    }
}
