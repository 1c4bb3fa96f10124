use std::sync::atomic::AtomicU64;

use super::*;

const START_MS: TimeMs = 1_700_000_000_000;
const HOUR_MS: u64 = 3_600_000;
const YEAR_MS: u64 = 365 * 24 * HOUR_MS;
const TRUST_MS: u64 = 900_000;

/// A machine whose clock people set.
#[derive(Default)]
struct Machine {
    wall_ms: AtomicU64,
    monotonic_ms: AtomicU64,
}

impl Clock for Machine {
    fn now_ms(&self) -> TimeMs {
        self.wall_ms.load(Ordering::SeqCst)
    }

    fn monotonic_ms(&self) -> Option<u64> {
        Some(self.monotonic_ms.load(Ordering::SeqCst))
    }
}

impl Machine {
    fn new() -> Arc<Self> {
        let machine = Self::default();
        machine.wall_ms.store(START_MS, Ordering::SeqCst);
        machine.monotonic_ms.store(77, Ordering::SeqCst);
        Arc::new(machine)
    }

    fn pass(&self, ms: u64) {
        self.wall_ms.fetch_add(ms, Ordering::SeqCst);
        self.monotonic_ms.fetch_add(ms, Ordering::SeqCst);
    }

    fn set(&self, wall_ms: TimeMs) {
        self.wall_ms.store(wall_ms, Ordering::SeqCst);
    }

    fn time(self: &Arc<Self>, floor_ms: TimeMs) -> EngineTime {
        EngineTime::new(Arc::clone(self) as _, floor_ms, TRUST_MS)
    }
}

#[test]
fn a_clock_that_is_ahead_for_a_second_moves_nothing() {
    for jump_ms in [HOUR_MS, YEAR_MS, TRUST_MS, JUMP_MS + 1] {
        let machine = Machine::new();
        let time = machine.time(0);
        assert_eq!((time.now_ms(), time.ahead_ms()), (START_MS, 0));
        machine.set(START_MS + jump_ms);
        assert_eq!(time.now_ms(), START_MS, "{jump_ms}");
        machine.pass(1_000);
        assert_eq!((time.now_ms(), time.ahead_ms()), (START_MS + 1_000, -(jump_ms as i64)));
        machine.set(START_MS + 1_000);
        machine.pass(5);
        assert_eq!((time.now_ms(), time.ahead_ms()), (START_MS + 1_005, 0));
    }
}

#[test]
fn a_jump_that_lasts_is_followed_and_one_that_is_confirmed_at_once() {
    for confirmed in [false, true] {
        let machine = Machine::new();
        let time = machine.time(0);
        machine.set(START_MS + HOUR_MS);
        // A clock is read once in a millisecond.
        assert_eq!(time.now_ms(), START_MS);
        machine.pass(1);
        assert_eq!(time.now_ms(), START_MS + 1);
        if confirmed {
            assert_eq!(time.confirm(), START_MS + HOUR_MS + 1);
        } else {
            machine.pass(TRUST_MS - 1);
            assert_eq!(time.now_ms(), START_MS + TRUST_MS);
            machine.pass(1);
            assert_eq!(time.now_ms(), START_MS + 1 + TRUST_MS + HOUR_MS);
        }
        machine.pass(10);
        assert_eq!((time.now_ms(), time.ahead_ms()), (machine.now_ms(), 0));
    }
}

#[test]
fn another_jump_must_last_as_long() {
    let machine = Machine::new();
    let time = machine.time(0);
    machine.set(START_MS + HOUR_MS);
    time.now_ms();
    machine.pass(TRUST_MS - 1);
    machine.set(machine.now_ms() + HOUR_MS);
    assert_eq!(time.now_ms(), START_MS + TRUST_MS - 1);
    machine.pass(TRUST_MS - 1);
    assert_eq!(time.now_ms(), START_MS + 2 * TRUST_MS - 2);
    machine.pass(1);
    assert_eq!(time.now_ms(), machine.now_ms());
}

#[test]
fn time_that_is_ahead_goes_on_and_lets_the_machine_catch_up() {
    // A journal whose last event is of the future; and a clock that is set back.
    for floor_ms in [START_MS + HOUR_MS, 0] {
        let machine = Machine::new();
        let time = machine.time(floor_ms);
        if floor_ms == 0 {
            machine.set(START_MS - HOUR_MS);
            machine.pass(1);
        }
        let before = time.now_ms();
        assert_eq!(time.ahead_ms(), HOUR_MS as i64);
        for _ in 0..10 {
            machine.pass(60_000);
            time.now_ms();
        }
        assert_eq!(time.now_ms(), before + 9 * 60_000, "deadlines pass, a tenth slower");
        for _ in 0..600 {
            machine.pass(60_000);
            time.now_ms();
        }
        assert_eq!((time.now_ms(), time.ahead_ms()), (machine.now_ms(), 0));
    }
}

#[test]
fn a_slow_drift_is_followed() {
    let machine = Machine::new();
    let time = machine.time(0);
    for _ in 0..1_000 {
        machine.pass(1_000);
        machine.wall_ms.fetch_add(100, Ordering::SeqCst);
        assert_eq!((time.now_ms(), time.ahead_ms()), (machine.now_ms(), 0));
    }
}

#[test]
fn time_never_goes_back_but_by_command() {
    let machine = Machine::new();
    let time = machine.time(START_MS + YEAR_MS);
    let mut latest = time.now_ms();
    for (index, wall_ms) in
        [START_MS, START_MS + 2 * YEAR_MS, 1, START_MS + YEAR_MS].into_iter().enumerate()
    {
        machine.set(wall_ms);
        machine.pass(index as u64);
        assert!(time.now_ms() >= latest);
        latest = time.now_ms();
    }
    machine.set(START_MS);
    time.set_back(START_MS);
    assert_eq!((time.now_ms(), time.ahead_ms()), (START_MS, 0));
}
