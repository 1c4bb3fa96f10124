//! What an audit finds, by kind. Each kind has an exit code of its own; `docs/operations.md` lists
//! them.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::base::Seq;

/// How many findings of one kind are told in full; the rest are counted.
const TOLD_MAX: usize = 20;

/// What is wrong. The order is that of the exit codes: causes before what follows from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Bytes of a file fail their checksum, or cannot be read for what they are.
    Checksum,
    /// Records are missing or out of order.
    Sequence,
    /// A record is whole, and no event, or one that names what there is not.
    Record,
    /// More was taken, ended or returned than there was.
    Conservation,
    /// An event tells another availability than the events before it make.
    Available,
    /// A reservation does not live as reservations do.
    Reservation,
    /// A reservation was confirmed or released after its deadline, or expired before it; or units
    /// were taken after their end, or written off before it.
    Deadline,
    /// A key had two effects.
    Idempotency,
    /// More was taken than a limit grants, a window or a return gave back what was not due, or a
    /// rule that changed forgot what was bought.
    Quota,
    /// A snapshot shows another ledger than the events make.
    Snapshot,
    /// History cannot be read, or is not of this journal.
    Store,
    /// A row of history is missing, or tells something else than the events.
    History,
    /// Something shows records beyond the end of the journal: they were acknowledged, and are gone.
    Loss,
    /// Units are held that no reservation or order explains, or beyond their deadline; or an order
    /// waits that holds none.
    Leak,
}

impl Kind {
    pub(crate) const ALL: [Self; 14] = [
        Self::Checksum,
        Self::Sequence,
        Self::Record,
        Self::Conservation,
        Self::Available,
        Self::Reservation,
        Self::Deadline,
        Self::Idempotency,
        Self::Quota,
        Self::Snapshot,
        Self::Store,
        Self::History,
        Self::Loss,
        Self::Leak,
    ];

    /// What a process exits with that found this and nothing of a kind before it.
    pub(crate) fn exit_code(self) -> u8 {
        10 + self as u8
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Checksum => "checksum",
            Self::Sequence => "sequence",
            Self::Record => "record",
            Self::Conservation => "conservation",
            Self::Available => "available",
            Self::Reservation => "reservation",
            Self::Deadline => "deadline",
            Self::Idempotency => "idempotency",
            Self::Quota => "quota",
            Self::Snapshot => "snapshot",
            Self::Store => "store",
            Self::History => "history",
            Self::Loss => "loss",
            Self::Leak => "leak",
        }
    }

    /// What holds when nothing of this kind is found.
    pub(crate) fn promise(self) -> &'static str {
        match self {
            Self::Checksum => "every byte that counts is as it was written",
            Self::Sequence => "no record is missing or out of order",
            Self::Record => "every record is an event about what exists",
            Self::Conservation => "no unit appears or vanishes, none is taken that is not there",
            Self::Available => "every event tells the availability that the events make",
            Self::Reservation => "every reservation ends once, whole, and is returned once",
            Self::Deadline => {
                "none is confirmed or released after its deadline, or expires before it; units likewise"
            }
            Self::Idempotency => "every key has one effect",
            Self::Quota => {
                "no limit is exceeded; windows and returns give back what is due, and no more"
            }
            Self::Snapshot => "snapshots show what the events make",
            Self::Store => "history can be read and belongs to this journal",
            Self::History => "every row of history is what the events say, and none is missing",
            Self::Loss => "the journal ends with the last record that was acknowledged",
            Self::Leak => "what is held is held by somebody, and not beyond its deadline",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    /// The event that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seq: Option<Seq>,
    /// The file that it is in, and where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offset: Option<u64>,
    pub(crate) what: String,
}

/// What was found: all of it counted, the first of each kind told.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    told: Vec<Finding>,
    counts: [u64; Kind::ALL.len()],
}

impl Findings {
    /// Something that an event shows.
    pub(super) fn add(&mut self, kind: Kind, seq: Seq, what: impl Into<String>) {
        self.push(Finding { kind, seq: Some(seq), file: None, offset: None, what: what.into() });
    }

    /// Something in a file.
    pub(super) fn add_in(&mut self, kind: Kind, file: &Path, offset: u64, what: impl Into<String>) {
        self.push(Finding {
            kind,
            seq: None,
            file: Some(file.to_owned()),
            offset: Some(offset),
            what: what.into(),
        });
    }

    /// Something that no one place shows.
    pub(super) fn add_whole(&mut self, kind: Kind, what: impl Into<String>) {
        self.push(Finding { kind, seq: None, file: None, offset: None, what: what.into() });
    }

    fn push(&mut self, finding: Finding) {
        let count = &mut self.counts[finding.kind as usize];
        *count += 1;
        if *count <= TOLD_MAX as u64 {
            self.told.push(finding);
        }
    }

    /// How many there are of a kind.
    pub(crate) fn count(&self, kind: Kind) -> u64 {
        self.counts[kind as usize]
    }

    /// The first of each kind, in the order in which they were found.
    pub(crate) fn told(&self) -> &[Finding] {
        &self.told
    }

    /// The first kind of which there is anything.
    pub(crate) fn worst(&self) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| self.count(*kind) > 0)
    }
}
