//! What happens in a run. A plan follows from its seed alone, before anything runs, and each step
//! has its own choices in it: a plan with steps left out is a plan too, which is how a failing one
//! is shrunk.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::setup::{
    AccountIndex, FOLLOWERS, LOTS, PRODUCTS, Setup, USERS, cap_of, lot_of, points_of, quota_of,
};
use crate::event::{Policy, Window};
use crate::vfs::crash::{Chance, Fault};

/// A request, with accounts by their places and reservations still to be picked among those that
/// there are.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    Receive {
        account: AccountIndex,
        quantity: u64,
    },
    Adjust {
        account: AccountIndex,
        delta: i64,
    },
    Count {
        account: AccountIndex,
        units: u64,
    },
    WriteOff {
        account: AccountIndex,
        quantity: u64,
    },
    Reserve {
        lines: Vec<(AccountIndex, u64)>,
        ttl_ms: u64,
        confirm: bool,
        owner: Option<AccountIndex>,
        details: usize,
    },
    Confirm {
        pick: usize,
        owner: Option<AccountIndex>,
        parts: Option<Vec<u64>>,
    },
    Release {
        pick: usize,
        owner: Option<AccountIndex>,
    },
    Transfer {
        from: AccountIndex,
        to: AccountIndex,
        quantity: u64,
    },
    Extend {
        pick: usize,
        ttl_ms: u64,
        owner: Option<AccountIndex>,
    },
}

/// What a caller does with its ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Waits until it is durable.
    Wait,
    /// Keeps it, and looks later.
    Keep,
    /// Drops it.
    Drop,
}

/// A request with its key, if it has one.
pub(super) type Keyed = (Wish, Option<u8>);

/// Which points a late payment takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PointsFrom {
    /// Those that the order held.
    Held,
    /// A lot of the user.
    Lot(usize),
    /// Half of a lot, and the rest of those that are good for ever.
    Both(usize),
    /// A lot of somebody else, who has nothing to do with it.
    Another(usize),
    /// A lot of the user, and more than the order cost.
    More(usize),
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Power is cut: what was not synced is left to chance.
    PowerCut,
    /// The process is killed: the kernel keeps what was written.
    Kill,
    /// The engine is dropped: it writes what is queued.
    Drop,
    /// The engine is closed: it writes a checkpoint, too.
    Close,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Ask {
        wish: Wish,
        key: Option<u8>,
        then: Then,
    },
    /// An earlier keyed request once more, or another one under its key.
    Retry {
        pick: usize,
        is_other: bool,
    },
    Batch {
        asks: Vec<Keyed>,
        then: Then,
    },
    Together {
        asks: Vec<Wish>,
        key: Option<u8>,
        then: Then,
    },
    Refund {
        pick: usize,
    },
    /// So many units of each line, two bits each, go back; with `is_more`, one more than is left.
    ReturnPart {
        pick: usize,
        units: u64,
        is_more: bool,
        /// Which of its accounts are written off, a bit each.
        written_off: u8,
        key: Option<u8>,
    },
    /// An earlier return with a key once more.
    ReturnAgain {
        pick: usize,
    },
    /// What expired takes its lines again, or points of other accounts.
    Reacquire {
        pick: usize,
        points: PointsFrom,
        key: Option<u8>,
    },
    /// The same once more.
    ReacquireAgain {
        pick: usize,
        keeps_key: bool,
    },
    Note {
        pick: usize,
        bytes: usize,
    },
    /// A note with a condition, which is met or not.
    NoteWhen {
        pick: usize,
        owner: Option<AccountIndex>,
        key: Option<u8>,
        bytes: usize,
        is_met: bool,
    },
    Document {
        name: u8,
        bytes: Option<usize>,
        key: Option<u8>,
    },
    SetPolicy {
        account: AccountIndex,
        policy: Policy,
        key: Option<u8>,
    },
    /// An earlier document or rule with a key once more.
    RecordAgain {
        pick: usize,
    },
    /// An account is closed, if it is empty; the next request that names its place opens another.
    Close {
        account: AccountIndex,
    },
    /// What a request was told, beside what it did.
    Answer {
        bytes: usize,
        key: u8,
    },
    /// Somebody joins the line for a product's units; before that, what is left of it is taken.
    Join {
        account: AccountIndex,
        owner: AccountIndex,
        places_max: usize,
        sells_out: bool,
        key: Option<u8>,
    },
    /// Somebody leaves a line, or only a place that they had there before.
    Leave {
        account: AccountIndex,
        owner: AccountIndex,
        is_other: bool,
        key: Option<u8>,
    },
    /// Who is first in a line, or not, gets units.
    Grant {
        account: AccountIndex,
        units: u64,
        ttl_ms: u64,
        confirm: bool,
        is_other: bool,
    },
    /// The clock goes on.
    Tick {
        by_ms: u64,
    },
    /// Somebody sets the machine's clock back.
    SetBack {
        by_ms: u64,
    },
    /// Somebody sets the machine's clock far ahead, and the process believes it.
    Jump {
        by_ms: u64,
    },
    /// The machine's clock is set right by so much, the process ends, and the journal's time is
    /// mended; power is cut after so many operations of that.
    Mend {
        back_ms: u64,
        cut_after: Option<u64>,
    },
    Expire,
    /// The tickets that were kept are looked at.
    Look,
    /// The journal's writer runs.
    Write,
    /// The journal's recycler runs.
    Keep,
    /// A checkpoint is written; before one of its parts these requests are made.
    Checkpoint {
        before: usize,
        asks: Vec<Keyed>,
    },
    Follow {
        who: usize,
        events: usize,
    },
    /// A follower dies, and goes on later from where it was.
    Die {
        who: usize,
    },
    /// This strikes after this many operations of the disk.
    Fault {
        after: u64,
        fault: Fault,
    },
    MakeRoom,
    End {
        ending: Ending,
    },
    /// A bit flips in a copy of the files.
    Rot {
        pick: u64,
    },
}

impl Step {
    /// What it is, for the counts.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Ask { .. } => "ask",
            Self::Retry { .. } => "retry",
            Self::Batch { .. } => "batch",
            Self::Together { .. } => "together",
            Self::Refund { .. } => "refund",
            Self::ReturnPart { .. } => "return in part",
            Self::ReturnAgain { .. } => "return again",
            Self::Reacquire { .. } => "reacquire",
            Self::ReacquireAgain { .. } => "reacquire again",
            Self::Note { .. } => "note",
            Self::NoteWhen { .. } => "note with a condition",
            Self::Document { .. } => "document",
            Self::SetPolicy { .. } => "set policy",
            Self::RecordAgain { .. } => "record again",
            Self::Close { .. } => "close account",
            Self::Answer { .. } => "answer",
            Self::Join { .. } => "join a line",
            Self::Leave { .. } => "leave a line",
            Self::Grant { .. } => "grant",
            Self::Tick { .. } => "clock forwards",
            Self::SetBack { .. } => "clock backwards",
            Self::Jump { .. } => "clock jumps",
            Self::Mend { .. } => "clock mended",
            Self::Expire => "expire",
            Self::Look => "look at tickets",
            Self::Write => "write",
            Self::Keep => "keep segments",
            Self::Checkpoint { .. } => "checkpoint",
            Self::Follow { .. } => "follow",
            Self::Die { .. } => "follower dies",
            Self::Fault { .. } => "fault",
            Self::MakeRoom => "make room",
            Self::End { .. } => "end",
            Self::Rot { .. } => "rot",
        }
    }
}

/// The steps of a run, each with its number, which stays when others are left out.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(super) seed: u64,
    pub(super) setup: Setup,
    pub(super) steps: Vec<(usize, Step)>,
}

impl Plan {
    /// The plan that follows from a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut setup = Setup::new(&mut chance);
        let mut steps = opening(&mut chance);
        if seed % 16 == 11 {
            steps.extend(opening_of_lots(&mut Chance::new(!seed ^ 12)));
        }
        let count = 40 + chance.below(120);
        steps.extend((0..count).map(|_| step(&mut chance)));
        // The plans of other seeds stay what they always were.
        let opened = steps.len() - count;
        if seed % 4 == 3 {
            mix_in(&mut steps[opened..], &mut Chance::new(!seed), 4, later);
        }
        if seed % 8 == 5 {
            mix_in(&mut steps[opened..], &mut Chance::new(!seed), 4, return_in_part);
        }
        if seed % 8 == 7 {
            mix_in(&mut steps[opened..], &mut Chance::new(!seed ^ 7), 8, ahead);
        }
        if seed % 8 == 6 {
            mix_in(&mut steps[opened..], &mut Chance::new(!seed), 4, together);
        }
        if seed % 16 == 6 {
            mix_in(&mut steps[opened..], &mut Chance::new(!seed ^ 16), 6, record);
        }
        if seed % 16 == 14 {
            mix_in(&mut steps[opened..], &mut Chance::new(!seed ^ 14), 8, counted);
        }
        if seed % 16 == 11 {
            mix_in(&mut steps[opened..], &mut Chance::new(!seed ^ 11), 4, reacquire);
        }
        if seed % 16 == 14 {
            mix_in(&mut steps[opened..], &mut Chance::new(!seed ^ 14), 3, wait);
        }
        setup.points_end = seed % 16 == 13;
        Self { seed, setup, steps: steps.into_iter().enumerate().collect() }
    }

    /// The same plan with these steps alone.
    pub(crate) fn keep(mut self, kept: &BTreeSet<usize>) -> Self {
        self.steps.retain(|(number, _)| kept.contains(number));
        self
    }

    /// The numbers of its steps.
    pub(crate) fn numbers(&self) -> BTreeSet<usize> {
        self.steps.iter().map(|(number, _)| *number).collect()
    }

    /// A line for each step.
    pub(crate) fn describe(&self) -> String {
        self.steps.iter().map(|(number, step)| format!("{number:>5}  {step:?}\n")).collect()
    }

    /// A chance that is this step's own.
    pub(super) fn chance_of(&self, number: usize) -> Chance {
        let mut chance = Chance::new(self.seed);
        Chance::new(chance.number() ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// What a mall has before it opens: units and points.
fn opening(chance: &mut Chance) -> Vec<Step> {
    let places = (0..PRODUCTS).chain((0..USERS).map(points_of));
    places.map(|account| receive(chance, account, 5..=30)).collect()
}

/// Points that a user has besides: few, so that they do not always do.
fn opening_of_lots(chance: &mut Chance) -> Vec<Step> {
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

fn step(chance: &mut Chance) -> Step {
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
fn mix_in(
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

fn together(chance: &mut Chance) -> Step {
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

fn return_in_part(chance: &mut Chance) -> Step {
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
fn reacquire(chance: &mut Chance) -> Step {
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
fn wait(chance: &mut Chance) -> Step {
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
fn record(chance: &mut Chance) -> Step {
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
fn ahead(chance: &mut Chance) -> Step {
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

fn later(chance: &mut Chance) -> Step {
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
fn counted(chance: &mut Chance) -> Step {
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
