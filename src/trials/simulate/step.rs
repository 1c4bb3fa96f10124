//! What can happen in a run, with every choice in it.

use super::setup::AccountIndex;
use crate::event::Policy;
use crate::vfs::crash::Fault;

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
