//! Steps drawn by chance: how often each comes, and with what in it.

use std::ops::RangeInclusive;

use super::setup::{
    AccountIndex, FOLLOWERS, LOTS, PRODUCTS, USERS, cap_of, lot_of, points_of, quota_of,
};
use super::step::{Ending, Keyed, PointsFrom, Step, Then, Wish};
use crate::event::{Policy, Window};
use crate::vfs::crash::{Chance, Fault};

/// What a mall has before it opens: units and points.
pub(super) fn opening(chance: &mut Chance) -> Vec<Step> {
    let places = (0..PRODUCTS).chain((0..USERS).map(points_of));
    places.map(|account| receive(chance, account, 5..=30)).collect()
}

/// Points that a user has besides: few, so that they do not always do.
pub(super) fn opening_of_lots(chance: &mut Chance) -> Vec<Step> {
    let lots = (0..USERS).flat_map(|user| (0..LOTS.len()).map(move |lot| lot_of(user, lot)));
    lots.map(|account| receive(chance, account, 1..=9)).collect()
}

fn receive(chance: &mut Chance, account: AccountIndex, units: RangeInclusive<u64>) -> Step {
    let quantity = between(chance, units);
    Step::Ask { wish: Wish::Receive { account, quantity }, key: None, then: Then::Wait }
}

fn between(chance: &mut Chance, range: RangeInclusive<u64>) -> u64 {
    range.start() + chance.below((range.end() - range.start() + 1) as usize) as u64
}

fn one_in(chance: &mut Chance, count: usize) -> bool {
    chance.below(count) == 0
}

fn place(chance: &mut Chance) -> AccountIndex {
    chance.below(PRODUCTS + USERS * (PRODUCTS + 2))
}

pub(super) fn step(chance: &mut Chance) -> Step {
    match chance.below(100) {
        0..40 => {
            let (wish, key) = keyed(chance);
            Step::Ask { wish, key, then: then(chance) }
        }
        40..46 => Step::Retry { pick: chance.below(1 << 16), is_other: one_in(chance, 6) },
        46..50 => Step::Batch { asks: some_keyed(chance), then: then(chance) },
        50..52 => Step::Refund { pick: chance.below(1 << 16) },
        52 => Step::Note { pick: chance.below(1 << 16), bytes: chance.below(300) },
        53 => {
            let bytes = (!one_in(chance, 4)).then(|| chance.below(2_000));
            Step::Document { name: chance.below(4) as u8, bytes, key: None }
        }
        54..56 => set_policy(chance, None),
        56..62 => Step::Tick { by_ms: between(chance, 1..=150) },
        62 => Step::SetBack { by_ms: between(chance, 1..=1_000) },
        63..68 => Step::Expire,
        68..71 => Step::Look,
        71..75 => Step::Write,
        75..78 => Step::Keep,
        78..82 => {
            let asks = if one_in(chance, 2) { some_keyed(chance) } else { Vec::new() };
            Step::Checkpoint { before: chance.below(65), asks }
        }
        82..87 => Step::Follow { who: chance.below(FOLLOWERS), events: chance.below(40) },
        87 => Step::Die { who: chance.below(FOLLOWERS) },
        88..94 => fault(chance),
        94 => Step::MakeRoom,
        95..99 => {
            let endings =
                [Ending::PowerCut, Ending::PowerCut, Ending::Kill, Ending::Drop, Ending::Close];
            Step::End { ending: endings[chance.below(endings.len())] }
        }
        _ => Step::Rot { pick: chance.number() },
    }
}

fn then(chance: &mut Chance) -> Then {
    [Then::Wait, Then::Keep, Then::Keep, Then::Drop][chance.below(4)]
}

fn some_keyed(chance: &mut Chance) -> Vec<Keyed> {
    (0..1 + chance.below(5)).map(|_| keyed(chance)).collect()
}

fn keyed(chance: &mut Chance) -> Keyed {
    // Few enough that a key meets another request now and then.
    let key = one_in(chance, 2).then(|| chance.below(120) as u8);
    (wish(chance), key)
}

fn wish(chance: &mut Chance) -> Wish {
    match chance.below(20) {
        0 => Wish::Receive { account: place(chance), quantity: between(chance, 1..=12) },
        1 => {
            let delta = between(chance, 1..=8) as i64;
            Wish::Adjust {
                account: place(chance),
                delta: if one_in(chance, 2) { delta } else { -delta },
            }
        }
        2 => Wish::WriteOff { account: place(chance), quantity: between(chance, 1..=5) },
        3..12 => reserve(chance),
        12..17 => {
            let parts = one_in(chance, 3)
                .then(|| (0..1 + chance.below(4)).map(|_| between(chance, 0..=3)).collect());
            Wish::Confirm { pick: chance.below(1 << 16), owner: owner(chance), parts }
        }
        _ => Wish::Release { pick: chance.below(1 << 16), owner: owner(chance) },
    }
}

/// Puts what came after the first plans in the place of one step in so many.
pub(super) fn mix_in(
    steps: &mut [Step],
    chance: &mut Chance,
    count: usize,
    make: impl Fn(&mut Chance) -> Step,
) {
    for step in steps {
        if one_in(chance, count) {
            *step = make(chance);
        }
    }
}

pub(super) fn together(chance: &mut Chance) -> Step {
    let asks = (0..1 + chance.below(5)).map(|_| match chance.below(3) {
        0 => later_keyed(chance).0,
        _ => wish(chance),
    });
    let asks = asks.collect();
    Step::Together {
        asks,
        key: one_in(chance, 2).then(|| chance.below(120) as u8),
        then: then(chance),
    }
}

pub(super) fn return_in_part(chance: &mut Chance) -> Step {
    if one_in(chance, 5) {
        return Step::ReturnAgain { pick: chance.below(1 << 16) };
    }
    Step::ReturnPart {
        pick: chance.below(1 << 16),
        units: chance.number(),
        is_more: one_in(chance, 5),
        written_off: if one_in(chance, 3) { chance.below(16) as u8 } else { 0 },
        key: one_in(chance, 2).then(|| chance.below(120) as u8),
    }
}

/// Payments that come late, and the expiries that they come after.
pub(super) fn reacquire(chance: &mut Chance) -> Step {
    match chance.below(8) {
        0 => Step::Tick { by_ms: between(chance, 50..=250) },
        1 | 2 => Step::Expire,
        3 | 4 => Step::ReacquireAgain { pick: chance.below(1 << 16), keeps_key: one_in(chance, 2) },
        _ => Step::Reacquire {
            pick: chance.below(1 << 16),
            points: points_from(chance),
            key: one_in(chance, 2).then(|| chance.below(120) as u8),
        },
    }
}

fn points_from(chance: &mut Chance) -> PointsFrom {
    let lot = chance.below(LOTS.len());
    match chance.below(10) {
        0..3 => PointsFrom::Held,
        3..6 => PointsFrom::Lot(lot),
        6..8 => PointsFrom::Both(lot),
        8 => PointsFrom::Another(lot),
        _ => PointsFrom::More(lot),
    }
}

/// Those who wait for a product's units, and get them.
pub(super) fn wait(chance: &mut Chance) -> Step {
    let (account, owner) = (chance.below(PRODUCTS), points_of(chance.below(USERS)));
    let key = one_in(chance, 2).then(|| chance.below(120) as u8);
    match chance.below(16) {
        0..6 => Step::Join {
            account: if one_in(chance, 20) { place(chance) } else { account },
            owner,
            places_max: 1 + chance.below(USERS),
            sells_out: one_in(chance, 2),
            key,
        },
        6 | 7 => Step::Leave { account, owner, is_other: one_in(chance, 5), key },
        8..12 => Step::Grant {
            account,
            units: between(chance, 1..=2),
            ttl_ms: between(chance, 1..=250),
            confirm: one_in(chance, 4),
            is_other: one_in(chance, 8),
        },
        12 => Step::Close { account },
        _ => {
            let wish = Wish::Receive { account, quantity: between(chance, 1..=3) };
            Step::Ask { wish, key: None, then: then(chance) }
        }
    }
}

/// What is recorded beside the units with a key, and once more.
pub(super) fn record(chance: &mut Chance) -> Step {
    // Those of other requests, too.
    let number = chance.below(120) as u8;
    let key = Some(number);
    match chance.below(7) {
        0 | 1 => {
            let bytes = (!one_in(chance, 4)).then(|| chance.below(2_000));
            Step::Document { name: chance.below(4) as u8, bytes, key }
        }
        2 | 3 => set_policy(chance, key),
        4 => Step::Answer { bytes: chance.below(400), key: number },
        _ => Step::RecordAgain { pick: chance.below(1 << 16) },
    }
}

/// A clock that is ahead and is mended, and notes that hear their first answer.
pub(super) fn ahead(chance: &mut Chance) -> Step {
    match chance.below(6) {
        0 => Step::Jump { by_ms: between(chance, 2_500..=40_000) },
        1 | 2 => {
            let cut_after = one_in(chance, 2).then(|| chance.below(160) as u64);
            Step::Mend { back_ms: between(chance, 0..=40_000), cut_after }
        }
        _ => Step::NoteWhen {
            pick: chance.below(1 << 16),
            owner: owner(chance),
            // Those of other requests, too.
            key: (!one_in(chance, 4)).then(|| chance.below(120) as u8),
            bytes: chance.below(40),
            is_met: !one_in(chance, 3),
        },
    }
}

pub(super) fn later(chance: &mut Chance) -> Step {
    match chance.below(8) {
        0 => Step::Close { account: place(chance) },
        1 => {
            let asks = (0..2 + chance.below(3)).map(|_| match chance.below(2) {
                0 => keyed(chance),
                _ => later_keyed(chance),
            });
            let asks = asks.collect();
            Step::Batch { asks, then: then(chance) }
        }
        _ => {
            let (wish, key) = later_keyed(chance);
            Step::Ask { wish, key, then: then(chance) }
        }
    }
}

/// Of what there may be about as much as is counted, and of quotas too, which cannot be.
pub(super) fn counted(chance: &mut Chance) -> Step {
    let account = if one_in(chance, 4) { place(chance) } else { chance.below(PRODUCTS) };
    let wish = Wish::Count { account, units: between(chance, 0..=24) };
    let key = one_in(chance, 2).then(|| chance.below(120) as u8);
    Step::Ask { wish, key, then: then(chance) }
}

fn later_keyed(chance: &mut Chance) -> Keyed {
    let key = one_in(chance, 2).then(|| chance.below(120) as u8);
    let wish = match chance.below(2) {
        0 => transfer(chance),
        _ => Wish::Extend {
            pick: chance.below(1 << 16),
            ttl_ms: between(chance, 1..=250),
            owner: owner(chance),
        },
    };
    (wish, key)
}

/// Mostly between products or between users, where it can be done.
fn transfer(chance: &mut Chance) -> Wish {
    let (from, to) = match chance.below(4) {
        0 => (place(chance), place(chance)),
        1 => (points_of(chance.below(USERS)), points_of(chance.below(USERS))),
        _ => (chance.below(PRODUCTS), chance.below(PRODUCTS)),
    };
    Wish::Transfer { from, to, quantity: between(chance, 1..=6) }
}

fn owner(chance: &mut Chance) -> Option<AccountIndex> {
    one_in(chance, 4).then(|| points_of(chance.below(USERS)))
}

fn reserve(chance: &mut Chance) -> Wish {
    let confirm = one_in(chance, 4);
    let ttl_ms = between(chance, 1..=250);
    // Now and then so many that a dozen fill a segment.
    let details = if one_in(chance, 3) { chance.below(40 << 10) } else { chance.below(200) };
    let (user, product, units) =
        (chance.below(USERS), chance.below(PRODUCTS), between(chance, 1..=2));
    let (lines, owner) = match chance.below(4) {
        // Whatever comes, the same account twice included.
        0 => (
            (0..1 + chance.below(4)).map(|_| (place(chance), between(chance, 1..=3))).collect(),
            owner(chance),
        ),
        1 => (vec![(product, units)], owner(chance)),
        // What a mall does.
        _ => {
            let mut lines = vec![(points_of(user), 3 * units), (quota_of(user, product), units)];
            if one_in(chance, 2) {
                lines.push((cap_of(user), 1));
            }
            lines.push((product, units));
            (lines, Some(points_of(user)))
        }
    };
    Wish::Reserve { lines, ttl_ms, confirm, owner, details }
}

fn set_policy(chance: &mut Chance, key: Option<u8>) -> Step {
    let (user, product) = (chance.below(USERS), chance.below(PRODUCTS));
    let windows = [
        Window::Never,
        Window::Rolling { length_ms: 200 },
        Window::Fixed { length_ms: 300, offset_ms: 47 },
        Window::Fixed { length_ms: 500, offset_ms: 0 },
        Window::Outstanding,
    ];
    let (account, policy) = match chance.below(3) {
        0 => (product, Policy::backorder(between(chance, 0..=4))),
        1 => (cap_of(user), Policy::quota(between(chance, 1..=9), Window::Outstanding)),
        _ => (
            quota_of(user, product),
            Policy::quota(between(chance, 1..=9), windows[chance.below(windows.len())]),
        ),
    };
    Step::SetPolicy { account, policy, key }
}

fn fault(chance: &mut Chance) -> Step {
    use Fault::{DiskFull, Fail, PowerCut, Short};
    let faults = [
        PowerCut, PowerCut, PowerCut, PowerCut, Fail, Fail, Fail, Fail, Short, Short, Short,
        DiskFull,
    ];
    Step::Fault { after: chance.below(40) as u64, fault: faults[chance.below(faults.len())] }
}
