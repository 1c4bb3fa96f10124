use super::*;

const MAX_US: u64 = 2_000;

fn all(us: u64) -> Wait {
    Wait::All(Duration::from_micros(us))
}

fn share() -> Share {
    Share::new(Duration::from_micros(MAX_US))
}

/// An interval in which everything waits for as long.
fn interval(share: &mut Share, now_us: &mut u64, wait_us: u64, came: Came) {
    loop {
        *now_us += 10_000.max(wait_us);
        if share.saw(*now_us, all(wait_us), || came).is_some() {
            return;
        }
    }
}

#[test]
fn a_burst_turns_nobody_away() {
    let mut share = share();
    let came = Came { requests: 1_000, heaviest: 100 * ONE };
    for round in 0..20 {
        let looks = [50_000, 50_000, if round % 2 == 0 { 10 } else { MAX_US }];
        let mut ended = None;
        for (look, wait_us) in looks.into_iter().enumerate() {
            ended = share.saw((round * 3 + look as u64) * 50_000, all(wait_us), || came);
        }
        assert!(ended.is_some_and(|least_us| least_us <= MAX_US), "{ended:?}");
        assert_eq!(share.share(), None, "once in the interval nothing had waited for too long");
    }
}

#[test]
fn what_waits_without_being_asked_for_much_is_nobodys_fault() {
    let (mut share, mut now_us) = (share(), 0);
    let came = Came { requests: REQUESTS_MIN - 1, heaviest: 100 * ONE };
    (0..20).for_each(|_| interval(&mut share, &mut now_us, 100 * MAX_US, came));
    assert_eq!(share.share(), None);
}

#[test]
fn an_interval_has_some_time_and_some_looks() {
    let mut share = share();
    let came = Came { requests: 1_000, heaviest: 100 * ONE };
    for look in 0..4 {
        assert_eq!(share.saw(5_000 * (look + 1), all(5_000), || came), None, "too short a time");
    }
    assert_eq!(share.saw(25_000, all(5_000), || came), Some(5_000));
    assert_eq!(share.saw(125_000, all(100_000), || came), None, "one look");
    assert_eq!(share.saw(225_000, all(100_000), || came), None, "two looks");
    assert_eq!(share.saw(325_000, all(4_000), || came), Some(4_000));
}

#[test]
fn the_share_falls_while_requests_wait_and_is_lifted_when_they_do_not() {
    let (mut share, mut now_us) = (share(), 0);
    let came = Came { requests: 1_000, heaviest: 100 * ONE };
    interval(&mut share, &mut now_us, MAX_US + 1, came);
    assert_eq!(share.share(), Some(100 * ONE - 100 * ONE / 8), "who asks most is cut");
    interval(&mut share, &mut now_us, 10 * MAX_US, came);
    let half = (100 * ONE - 100 * ONE / 8) / 2;
    assert_eq!(share.share(), Some(half), "far above, it falls faster");
    let mut intervals = 0;
    let mut before = half;
    while let Some(now) = share.share() {
        interval(&mut share, &mut now_us, MAX_US, came);
        intervals += 1;
        if let Some(after) = share.share() {
            assert!(after >= now && after - now <= now / GROWS + 1, "{now} to {after}");
            before = after;
        }
    }
    assert!(intervals > 20 && before < came.heaviest, "{intervals}");
}

#[test]
fn the_share_comes_back_sooner_while_nothing_waits_at_all() {
    let came = Came { requests: 1_000, heaviest: 100 * ONE };
    let intervals = |wait_us: u64| {
        let (mut share, mut now_us) = (share(), 0);
        (0..8).for_each(|_| interval(&mut share, &mut now_us, 10 * MAX_US, came));
        let mut intervals = 0;
        while share.share().is_some() {
            interval(&mut share, &mut now_us, wait_us, came);
            intervals += 1;
        }
        intervals
    };
    let (slow, fast) = (intervals(MAX_US), intervals(MAX_US / 4));
    assert!(3 * fast < slow, "{fast} and {slow} intervals");
}

#[test]
fn what_still_waits_counts_once_it_has_waited_for_too_long() {
    let mut share = share();
    let came = Came { requests: 1_000, heaviest: 100 * ONE };
    let so = |us| Wait::So(Duration::from_micros(us));
    for look in 0..100 {
        assert_eq!(share.saw(look * 1_000, so(MAX_US), || came), None, "it may be a short one");
    }
    // Sent at 100 ms, and on its way for a second.
    let ended = (0..1_000).find(|ms| {
        let wait_us = 1_000 * ms;
        share.saw(100_000 + wait_us, so(wait_us), || came).is_some()
    });
    assert!(ended.is_some_and(|ms| ms <= 30), "{ended:?}");
    assert!(share.share().is_some_and(|share| share < 100 * ONE), "somebody is turned away");
}

#[test]
fn some_are_always_let_in() {
    let (mut share, mut now_us) = (share(), 0);
    let came = Came { requests: 1_000, heaviest: ONE };
    (0..40).for_each(|_| interval(&mut share, &mut now_us, 10 * MAX_US, came));
    assert_eq!(share.share(), Some(SHARE_MIN));
}

/// The part of so many draws that is let in.
fn part(share: Option<u32>, weight: u32) -> f64 {
    let draws = 1_000;
    let step = u32::MAX / draws;
    (0..draws).filter(|draw| lets_in(share, weight, draw * step)).count() as f64 / f64::from(draws)
}

#[test]
fn who_asks_for_less_than_the_share_is_let_in_and_who_asks_for_more_gets_the_share() {
    for (share, weight, expected) in [
        (None, u32::MAX, 1.0),
        (Some(10 * ONE), ONE, 1.0),
        (Some(10 * ONE), 10 * ONE, 1.0),
        (Some(10 * ONE), 20 * ONE, 0.5),
        (Some(10 * ONE), 1_000 * ONE, 0.01),
        (Some(ONE / 4), ONE, 0.25),
        (Some(SHARE_MIN), ONE, 0.0625),
    ] {
        let found = part(share, weight);
        assert!((found - expected).abs() < 0.002, "{share:?} of {weight}: {found}");
    }
    assert!(!lets_in(Some(ONE), u32::MAX, u32::MAX));
}
