//! What happens to an engine, step by step, with accounts by their places and reservations still to
//! be picked.

use proptest::collection::vec;
use proptest::prelude::*;
use stockhold::command::Deadline;
use stockhold::{Policy, Window};

use crate::reference::{Ask, Place};

/// The rules that quotas change between.
pub const WINDOWS: [Window; 5] = [
    Window::Never,
    Window::Rolling { length_ms: 50 },
    Window::Rolling { length_ms: 200 },
    Window::Fixed { length_ms: 40, offset_ms: 47 },
    Window::Outstanding,
];

/// The accounts of the test: each rule that an account can have.
pub fn accounts() -> [(&'static str, Policy); 8] {
    [
        ("stock/tea", Policy::strict()),
        ("stock/cup", Policy::backorder(3)),
        ("points/ann", Policy::strict()),
        ("points/bob", Policy::strict()),
        ("quota/ann/tea", Policy::quota(4, Window::Rolling { length_ms: 50 })),
        ("quota/bob/tea", Policy::quota(3, Window::Fixed { length_ms: 40, offset_ms: 47 })),
        ("quota/ann", Policy::quota(5, Window::Outstanding)),
        ("quota/bob/cup", Policy::quota(6, Window::Never)),
    ]
}

/// A request whose reservation is still to be picked among those that there are.
#[derive(Clone, Debug)]
pub enum Wish {
    Sound(Ask),
    Confirm { pick: usize, owner: Option<Place>, parts: Option<Vec<u64>> },
    Release { pick: usize, owner: Option<Place> },
    Extend { pick: usize, deadline: Deadline, owner: Option<Place> },
}

/// A return whose reservation and units are still to be picked.
#[derive(Clone, Copy, Debug)]
pub struct Return {
    pub pick: usize,
    /// So many of each line, two bits each; none of any is everything that is left.
    pub units: u8,
    /// One more than is left of the last of those.
    pub is_more: bool,
    /// Which lines came back broken, a bit each.
    pub written_off: u8,
    pub owner: Option<Place>,
}

/// A revival whose reservation is still to be picked.
#[derive(Clone, Copy, Debug)]
pub struct Revival {
    pub pick: usize,
    pub owner: Option<Place>,
}

/// One thing that happens to an engine.
#[derive(Clone, Debug)]
pub enum Step {
    Ask {
        wish: Wish,
        key: Option<u8>,
        wait: bool,
    },
    /// An earlier keyed request once more, or the other request that asks for the same.
    Retry {
        pick: usize,
        is_other: bool,
    },
    Batch(Vec<(Wish, Option<u8>)>),
    /// All of these, or none.
    Together {
        wishes: Vec<Wish>,
        key: Option<u8>,
    },
    /// What was consumed goes back.
    Return {
        wish: Return,
        key: Option<u8>,
    },
    /// What expired takes its lines again.
    Revive {
        wish: Revival,
        key: Option<u8>,
    },
    Open(Place),
    /// An account is closed, if it is empty; the next request that names its place opens another.
    Close(Place),
    /// Somebody joins the line for an account's units, which has so many places.
    Join {
        place: Place,
        owner: Place,
        places_max: usize,
    },
    /// Somebody leaves a line, or only the first place that it ever had.
    Leave {
        place: Place,
        owner: Place,
        is_first: bool,
    },
    /// Who is first in a line, or last, gets so many units.
    Grant {
        place: Place,
        units: u64,
        ttl_ms: u64,
        is_last: bool,
    },
    /// Other rules for an account.
    SetPolicy {
        place: Place,
        limit: u64,
        window: usize,
        key: Option<u8>,
    },
    /// A document of so many bytes, or none any more.
    Document {
        name: u8,
        bytes: Option<usize>,
        key: Option<u8>,
    },
    Tick(u64),
    Expire,
    Checkpoint,
    Reopen {
        close: bool,
        checkpoint: bool,
    },
}

fn wishes() -> impl Strategy<Value = Wish> {
    let place = || 0..accounts().len();
    let owner = || prop_oneof![4 => Just(None), 1 => (0..accounts().len()).prop_map(Some)];
    let deltas = prop_oneof![1..20i64, -8..0i64];
    let parts = proptest::option::of(vec(0..4u64, 1..=3));
    // The clock starts somewhere else: times that have passed, and such as are to come.
    let deadlines = prop_oneof![
        4 => (1..60u64).prop_map(Deadline::After),
        1 => (0..200u64).prop_map(|by_ms| Deadline::At(1_000 + by_ms)),
    ];
    let lines = vec((place(), 1..4u64), 1..=3);
    prop_oneof![
        2 => (place(), 1..12u64).prop_map(|(account, quantity)| Wish::Sound(Ask::Receive { account, quantity })),
        1 => (place(), deltas).prop_map(|(account, delta)| Wish::Sound(Ask::Adjust { account, delta })),
        1 => (place(), 0..24u64).prop_map(|(account, units)| Wish::Sound(Ask::Count { account, units })),
        1 => (place(), 1..6u64).prop_map(|(account, quantity)| Wish::Sound(Ask::WriteOff { account, quantity })),
        6 => (lines, 1..60u64, proptest::bool::weighted(0.25), owner()).prop_map(|(lines, ttl_ms, confirm, owner)| {
            Wish::Sound(Ask::Reserve { lines, ttl_ms, confirm, owner })
        }),
        3 => (any::<usize>(), owner(), parts).prop_map(|(pick, owner, parts)| Wish::Confirm { pick, owner, parts }),
        2 => (any::<usize>(), owner()).prop_map(|(pick, owner)| Wish::Release { pick, owner }),
        1 => (any::<usize>(), deadlines, owner()).prop_map(|(pick, deadline, owner)| Wish::Extend { pick, deadline, owner }),
        1 => (0..4usize, 0..4usize, 1..6u64).prop_map(|(from, to, quantity)| Wish::Sound(Ask::Transfer { from, to, quantity })),
        1 => (place(), place(), 1..6u64).prop_map(|(from, to, quantity)| Wish::Sound(Ask::Transfer { from, to, quantity })),
    ]
}

fn keys() -> impl Strategy<Value = Option<u8>> {
    // Few enough that a key meets another request now and then.
    prop_oneof![2 => Just(None), 1 => (0..60u8).prop_map(Some)]
}

fn returns() -> impl Strategy<Value = Return> {
    let owner = prop_oneof![4 => Just(None), 1 => (0..accounts().len()).prop_map(Some)];
    let (is_more, broken) = (proptest::bool::weighted(0.1), prop_oneof![2 => Just(0), 1 => 0..8u8]);
    (any::<usize>(), 0..64u8, is_more, broken, owner).prop_map(
        |(pick, units, is_more, written_off, owner)| Return {
            pick,
            units,
            is_more,
            written_off,
            owner,
        },
    )
}

fn revivals() -> impl Strategy<Value = Revival> {
    let owner = prop_oneof![4 => Just(None), 1 => (0..accounts().len()).prop_map(Some)];
    (any::<usize>(), owner).prop_map(|(pick, owner)| Revival { pick, owner })
}

/// Sequences of steps.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (wishes(), keys(), any::<bool>()).prop_map(|(wish, key, wait)| Step::Ask { wish, key, wait }),
        3 => any::<(usize, bool)>().prop_map(|(pick, is_other)| Step::Retry { pick, is_other }),
        2 => vec((wishes(), keys()), 1..6).prop_map(Step::Batch),
        1 => (0..accounts().len()).prop_map(Step::Open),
        2 => (vec(wishes(), 1..6), keys()).prop_map(|(wishes, key)| Step::Together { wishes, key }),
        3 => (returns(), keys()).prop_map(|(wish, key)| Step::Return { wish, key }),
        3 => (revivals(), keys()).prop_map(|(wish, key)| Step::Revive { wish, key }),
        1 => (0..accounts().len()).prop_map(Step::Close),
        4 => (0..5usize, 0..accounts().len(), 1..4usize).prop_map(|(place, owner, places_max)| {
            Step::Join { place, owner, places_max }
        }),
        1 => (0..4usize, 0..accounts().len(), any::<bool>()).prop_map(|(place, owner, is_first)| {
            Step::Leave { place, owner, is_first }
        }),
        4 => (0..4usize, 1..3u64, 1..60u64, proptest::bool::weighted(0.1)).prop_map(
            |(place, units, ttl_ms, is_last)| Step::Grant { place, units, ttl_ms, is_last }
        ),
        1 => (4..accounts().len(), 1..8u64, 0..WINDOWS.len(), keys()).prop_map(|(place, limit, window, key)| {
            Step::SetPolicy { place, limit, window, key }
        }),
        1 => (0..3u8, proptest::option::of(0..300usize), keys()).prop_map(|(name, bytes, key)| {
            Step::Document { name, bytes, key }
        }),
        3 => (1..30u64).prop_map(Step::Tick),
        2 => Just(Step::Expire),
        1 => Just(Step::Checkpoint),
        1 => any::<(bool, bool)>().prop_map(|(close, checkpoint)| Step::Reopen { close, checkpoint }),
    ];
    vec(step, 20..120)
}
