use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Walks every list, and the free list, and checks all that the module's invariant says.
fn check_links(wheel: &Wheel) {
    let mut alive = 0;
    for level in 0..LEVELS {
        for slot in 0..SLOTS {
            let mut prev = LIST | (level * SLOTS + slot) as u32;
            let mut index = wheel.heads[level][slot];
            assert_eq!(wheel.occupied[level] >> slot & 1 == 1, index != NIL);
            while index != NIL {
                let entry = &wheel.slab[index as usize];
                assert_eq!(entry.prev, prev);
                let at = wheel.place(entry.deadline);
                let emptying = level > 0 && slot == slot_of(wheel.elapsed, level);
                if emptying {
                    let below = wheel.elapsed & ((1 << shift_of(level)) - 1);
                    assert_eq!(below, 0, "time ran ahead of a slot being emptied");
                    assert!(at.0 < level, "an entry would never leave its slot");
                } else {
                    assert_eq!(at, (level, slot));
                }
                alive += 1;
                (prev, index) = (index, entry.next);
            }
        }
    }
    let mut free = 0;
    let mut index = wheel.free;
    while index != NIL {
        free += 1;
        index = wheel.slab[index as usize].next;
    }
    assert_eq!(wheel.len(), alive);
    assert_eq!(wheel.slab.len(), alive + free);
}

fn list_len(wheel: &Wheel, level: usize, slot: usize) -> usize {
    let first = Some(wheel.heads[level][slot]).filter(|&index| index != NIL);
    std::iter::successors(first, |&index| {
        Some(wheel.slab[index as usize].next).filter(|&next| next != NIL)
    })
    .count()
}

/// Advances in one go and returns the payloads in order.
fn fired(wheel: &mut Wheel, now: TimeMs) -> Vec<u32> {
    let mut due = Vec::new();
    assert!(wheel.advance(now, usize::MAX, &mut due));
    check_links(wheel);
    let mut payloads: Vec<u32> = due.into_iter().map(|(_, payload)| payload).collect();
    payloads.sort_unstable();
    payloads
}

#[test]
fn an_entry_is_24_bytes() {
    assert_eq!(size_of::<Entry>(), 24);
}

#[test]
fn each_deadline_has_its_place() {
    #[track_caller]
    fn check(elapsed: TimeMs, deadline: TimeMs, level: usize, slot: usize) {
        assert_eq!(Wheel::new(elapsed).place(deadline), (level, slot));
    }
    check(0, 0, 0, 0);
    check(0, 63, 0, 63);
    check(0, 64, 1, 1);
    check(0, 4095, 1, 63);
    check(0, 4096, 2, 1);
    check(63, 64, 1, 1);
    check(100, 99, 0, 36);
    check(100, 0, 0, 36);
    check((1 << 42) - 1, 1 << 42, 7, 1);
    check(0, u64::MAX, 10, 15);
    check(u64::MAX - 1, u64::MAX, 0, 63);
    check(u64::MAX, 0, 0, 63);
}

#[test]
fn fires_at_its_millisecond_and_not_before() {
    #[track_caller]
    fn check(start: TimeMs, deadline: TimeMs) {
        let mut wheel = Wheel::new(start);
        wheel.insert(deadline, 7);
        assert_eq!(fired(&mut wheel, deadline - 1), [0; 0]);
        assert_eq!(fired(&mut wheel, deadline), [7]);
        assert_eq!(wheel.next_turn(), None);
    }
    for shift in 1..64 {
        check(0, 1 << shift);
        check(0, (1 << shift) + 1);
        check((1 << shift) - 1, 1 << shift);
        check((1 << shift) - 2, (1 << shift) + 5);
    }
    check(1_700_000_000_000, 1_700_000_600_000);
    check(0, u64::MAX);
    check(u64::MAX - 1, u64::MAX);
}

#[test]
fn late_timers_fire_at_once() {
    let mut wheel = Wheel::new(1000);
    wheel.insert(1000, 1);
    wheel.insert(999, 2);
    wheel.insert(0, 3);
    wheel.insert(1001, 4);
    assert_eq!(wheel.next_turn(), Some(0));
    assert_eq!(fired(&mut wheel, 1000), [1, 2, 3]);
    assert_eq!(wheel.next_turn(), Some(1001));
    assert_eq!(fired(&mut wheel, 1001), [4]);
}

#[test]
fn time_going_back_does_nothing() {
    let mut wheel = Wheel::new(0);
    assert_eq!(fired(&mut wheel, 500), [0; 0]);
    wheel.insert(400, 1);
    wheel.insert(600, 2);
    assert_eq!(fired(&mut wheel, 450), [0; 0]);
    assert_eq!(fired(&mut wheel, 500), [1]);
    assert_eq!(fired(&mut wheel, 600), [2]);
}

#[test]
fn a_name_goes_stale() {
    let mut wheel = Wheel::new(0);
    let cancelled = wheel.insert(10, 1);
    assert!(wheel.cancel(cancelled));
    assert!(!wheel.cancel(cancelled));
    let reused = wheel.insert(10, 2);
    assert_eq!(reused.index, cancelled.index);
    assert!(!wheel.cancel(cancelled));
    assert_eq!(fired(&mut wheel, 10), [2]);
    assert!(!wheel.cancel(reused));
    assert!(!wheel.cancel(TimerId { index: 99, generation: 0 }));
}

#[test]
fn no_budget_does_no_work() {
    let mut wheel = Wheel::new(0);
    wheel.insert(5, 1);
    let mut due = Vec::new();
    assert!(wheel.advance(4, 0, &mut due));
    assert!(!wheel.advance(5, 0, &mut due));
    assert_eq!(due, []);
    assert!(wheel.advance(5, 1, &mut due));
    assert_eq!(due, [(5, 1)]);
}

/// Would catch a jump over a half emptied slot to a timer that has left it already, and
/// operations on the slot's entries in between.
#[test]
fn a_slot_can_be_changed_while_it_is_emptied() {
    let mut wheel = Wheel::new(0);
    let ids: Vec<TimerId> = (0..64).map(|i| wheel.insert(64 + u64::from(i), i)).collect();
    let mut due = Vec::new();
    assert!(!wheel.advance(200, 1, &mut due));
    check_links(&wheel);
    // The list is last in, first out: 63 to 60 have moved, and 59 heads the rest.
    assert_eq!((due.len(), list_len(&wheel, 1, 1)), (0, 60));
    for i in [63, 59, 0, 30] {
        assert!(wheel.cancel(ids[i]));
        check_links(&wheel);
    }
    wheel.insert(64, 100);
    wheel.insert(127, 101);
    wheel.insert(128, 102);
    let mut expected: Vec<u32> = (1..63).filter(|i| ![59, 30].contains(i)).collect();
    expected.extend([100, 101, 102]);
    while !wheel.advance(200, 1, &mut due) {
        check_links(&wheel);
    }
    assert!(due.is_sorted_by_key(|&(deadline, _)| deadline));
    let mut payloads: Vec<u32> = due.iter().map(|&(_, payload)| payload).collect();
    payloads.sort_unstable();
    assert_eq!(payloads, expected);
}

#[test]
fn a_million_in_one_millisecond() {
    const COUNT: u32 = 1_000_000;
    const BUDGET: usize = 512;
    let deadline = 300_001; // Base 64: 1, 9, 15, 33. Three cascades, then it fires.
    let mut wheel = Wheel::new(0);
    for payload in 0..COUNT {
        wheel.insert(deadline, payload);
    }
    let mut due = Vec::new();
    assert!(!wheel.advance(deadline, BUDGET, &mut due));
    assert_eq!(list_len(&wheel, 3, 1), COUNT as usize - BUDGET * MOVES_PER_FIRE);

    let mut calls = 1;
    let mut before = due.len();
    while !wheel.advance(deadline, BUDGET, &mut due) {
        calls += 1;
        assert!(due.len() - before <= BUDGET);
        before = due.len();
    }
    let moves = (COUNT as usize).div_ceil(BUDGET * MOVES_PER_FIRE);
    assert!(calls <= 3 * moves + (COUNT as usize).div_ceil(BUDGET), "{calls} calls");
    assert_eq!(wheel.len(), 0);
    assert!(due.iter().all(|&(at, _)| at == deadline));
    let mut seen = vec![false; COUNT as usize];
    due.iter().for_each(|&(_, payload)| seen[payload as usize] = true);
    assert_eq!((due.len(), seen.contains(&false)), (COUNT as usize, false));
    check_links(&wheel);
}

#[derive(Clone, Debug)]
enum Step {
    /// A deadline this far from the wheel's time.
    Insert(i64),
    InsertAt(TimeMs),
    /// Many timers within a few milliseconds, so that budgets run out.
    Crowd(u64, u8),
    /// Cancels one of all the timers there ever were.
    Cancel(prop::sample::Index),
    Advance(i64, usize),
    /// Jumps to where the wheel says that it next has work.
    AdvanceToTurn(usize),
}

fn any_span() -> impl Strategy<Value = u64> {
    (0_u32..46, any::<u64>()).prop_map(|(bits, random)| random & ((1 << bits) - 1))
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any_span().prop_map(|span| Step::Insert(span as i64)),
        1 => (-200_i64..0).prop_map(Step::Insert),
        1 => prop_oneof![any::<u64>(), Just(u64::MAX), Just(0)].prop_map(Step::InsertAt),
        2 => (any_span(), 1_u8..40).prop_map(|(span, count)| Step::Crowd(span, count)),
        4 => any::<prop::sample::Index>().prop_map(Step::Cancel),
        6 => (any_span(), 0_usize..6).prop_map(|(s, b)| Step::Advance(s as i64, b)),
        1 => (-200_i64..0, 0_usize..6).prop_map(|(s, b)| Step::Advance(s, b)),
        4 => (0_usize..6).prop_map(Step::AdvanceToTurn),
    ]
}

/// The wheel beside a map of what it should hold.
struct Model {
    wheel: Wheel,
    /// The latest time the wheel was told of.
    now: TimeMs,
    timers: BTreeMap<(TimeMs, u32), TimerId>,
    ever: Vec<(TimeMs, u32, TimerId)>,
}

impl Model {
    fn new(start: TimeMs) -> Self {
        let (timers, ever) = (BTreeMap::new(), Vec::new());
        Self { wheel: Wheel::new(start), now: start, timers, ever }
    }

    fn insert(&mut self, deadline: TimeMs) {
        let payload = self.ever.len() as u32;
        let id = self.wheel.insert(deadline, payload);
        self.timers.insert((deadline, payload), id);
        self.ever.push((deadline, payload, id));
    }

    fn advance(&mut self, now: TimeMs, budget: usize) -> bool {
        let mut due = Vec::new();
        let elapsed = self.wheel.elapsed;
        let done = self.wheel.advance(now, budget, &mut due);
        assert!(due.len() <= budget);
        if now < elapsed {
            assert_eq!((done, due.len(), self.wheel.elapsed), (true, 0, elapsed));
            return true;
        }
        assert!((elapsed..=now).contains(&self.wheel.elapsed));
        self.now = self.now.max(now);
        for (deadline, payload) in due {
            assert!(deadline <= now, "fired early");
            assert!(self.timers.remove(&(deadline, payload)).is_some(), "fired twice");
        }
        if let (true, Some((&(earliest, _), _))) = (done, self.timers.first_key_value()) {
            assert!(earliest > now, "a timer that was due stayed behind");
        }
        done
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Insert(span) => self.insert(self.now.saturating_add_signed(span)),
            Step::InsertAt(deadline) => self.insert(deadline),
            Step::Crowd(span, count) => (0..count).for_each(|i| {
                self.insert(self.now.saturating_add(span).saturating_add(u64::from(i % 3)));
            }),
            Step::Cancel(_) if self.ever.is_empty() => {}
            Step::Cancel(which) => {
                let (deadline, payload, id) = self.ever[which.index(self.ever.len())];
                let alive = self.timers.remove(&(deadline, payload)).is_some();
                assert_eq!(self.wheel.cancel(id), alive);
            }
            Step::Advance(span, budget) => {
                self.advance(self.now.saturating_add_signed(span), budget);
            }
            Step::AdvanceToTurn(budget) => {
                let turn = self.wheel.next_turn().unwrap_or(self.now);
                self.advance(turn.max(self.now), budget);
            }
        }
        self.check();
    }

    fn check(&self) {
        check_links(&self.wheel);
        assert_eq!(self.wheel.len(), self.timers.len());
        let earliest = self.timers.first_key_value().map(|(&(deadline, _), _)| deadline);
        let turn = self.wheel.next_turn();
        assert_eq!(turn.is_some(), earliest.is_some());
        assert!(turn <= earliest, "{turn:?} is after {earliest:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_an_ordered_map(
        start in prop_oneof![
            Just(0),
            Just(1_700_000_000_000),
            Just((1 << 42) - 5_000),
            any::<u64>(),
        ],
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let mut model = Model::new(start);
        for step in steps {
            model.apply(step);
        }
        while !model.advance(u64::MAX, 3) {
            model.check();
        }
        prop_assert_eq!(model.wheel.len(), 0);
        prop_assert_eq!(model.wheel.next_turn(), None);
    }
}
