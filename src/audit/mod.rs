//! An auditor that believes nothing: it reads the files of a data directory by `docs/format.md`
//! alone and recomputes every account from the events. It shares no code with what applies events,
//! reads journals or writes snapshots; only the layout of an event, and of a row of history, is
//! read by the code that everybody uses. `tests/repository/layers.rs` holds it to that.
//!
//! Nothing in the directory is changed and no lock is taken. A directory in use can be audited:
//! history, of which a copy is read, and the snapshots are looked at before the journal, so that
//! what they show is in it.

mod account;
mod answers;
mod books;
mod claims;
mod compare;
mod finding;
mod frames;
mod history;
mod journal;
mod leaks;
mod snapshot;

use std::path::{Path, PathBuf};

use serde::Serialize;

use self::books::Books;
use self::compare::Schedule;
use self::history::History;
use self::journal::{Journal, Marks};
use self::leaks::Running;
use self::snapshot::Snapshot;
use crate::base::error::Result;
use crate::base::{Seq, TimeMs};
use crate::event;
use crate::vfs::Vfs;

pub(crate) use finding::{Finding, Findings, Kind};

/// How many keys an engine of 0.1.0 kept, unless it was told otherwise.
pub(crate) const OLD_KEYS_MAX: usize = 1 << 20;

/// How a directory is audited.
#[derive(Clone, Debug)]
pub(crate) struct AuditConfig {
    /// How many keyed requests the engine remembered up to 0.1.0: a key may have another effect
    /// after that many newer ones.
    pub(crate) keys_max: usize,
    /// An empty directory for a copy of history; `None` leaves history out.
    pub(crate) scratch: Option<PathBuf>,
}

/// What was looked at.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Audited {
    /// The oldest and the last record that were read.
    pub(crate) first_seq: Seq,
    pub(crate) last_seq: Seq,
    /// How many records were entered into the books.
    pub(crate) entered: u64,
    /// The time of the last one.
    pub(crate) last_at: TimeMs,
    pub(crate) archive_files: usize,
    pub(crate) segments: usize,
    pub(crate) snapshots: usize,
    pub(crate) snapshot_parts: usize,
    pub(crate) accounts: usize,
    pub(crate) pending: usize,
    /// The snapshot that the books began with, when the beginning is no longer kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) began_with: Option<PathBuf>,
    /// The first and the last event that history shows, where it was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) history: Option<(Seq, Seq)>,
    /// What a reader should know that is not wrong.
    pub(crate) notes: Vec<String>,
}

/// The outcome of an audit.
#[derive(Debug)]
pub(crate) struct Audit {
    pub(crate) audited: Audited,
    pub(crate) findings: Findings,
}

/// Audits the data directory `dir`. `progress` is called with how many records of about how many
/// are read.
///
/// # Errors
/// `NotFound` when it is not a data directory, `Unavailable` when it cannot be read. What is wrong
/// with it is not an error.
pub(crate) fn audit(
    vfs: &dyn Vfs,
    dir: &Path,
    config: &AuditConfig,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Audit> {
    let (mut findings, mut audited) = (Findings::default(), Audited::default());
    let history = match &config.scratch {
        Some(scratch) => History::open(dir, scratch, &mut findings, &mut audited)?,
        None => None,
    };
    let snapshots = snapshot::read_all(vfs, dir, &mut findings)?;
    let claims = claims::read_all(vfs, dir, &mut findings)?;
    let mut journal = Journal::list(vfs, dir)?;
    history.iter().for_each(|history| journal.watch(history.witnesses()));
    audited.first_seq = journal.oldest_seq();
    audited.snapshots = snapshots.len();
    if journal.cut_off() > 0 {
        let (files, first) = (journal.cut_off(), audited.first_seq);
        audited.notes.push(format!(
            "{files} files of the archive are cut off by a hole before record {first}"
        ));
    }
    let mut entering = Entering::begin(&snapshots, history, config, &mut audited, &mut findings);
    let (first_seq, expected_seq) = (audited.first_seq, journal.expected_seq());
    let walked = journal.walk(first_seq, &mut findings, &mut |seq, kind, payload, findings| {
        progress(seq - first_seq + 1, expected_seq.max(seq) - first_seq + 1);
        entering.record(seq, kind, payload, findings);
    })?;
    audited.last_seq = walked.last_seq;
    claims::check(&claims, walked.last_seq, &mut findings);
    (audited.archive_files, audited.segments) = (walked.archived, walked.segments);
    // A snapshot of the last record was written after it was synced, by an orderly end for one:
    // what follows it in the segment is what was in the file before.
    let ended_whole = snapshots.iter().any(|snapshot| snapshot.last_seq >= walked.last_seq);
    if walked.torn && !ended_whole {
        audited.notes.push("the journal ends in a write that was never acknowledged".into());
    }
    entering.finish(journal.marks(), &mut audited, &mut findings)?;
    Ok(Audit { audited, findings })
}

/// The records on their way into the books.
struct Entering<'a> {
    /// `None` when there is nothing to begin with.
    books: Option<Books>,
    schedule: Schedule<'a>,
    history: Option<History>,
    next: Seq,
    /// Where the books could not be followed any further.
    broken_at: Option<Seq>,
    entered: u64,
    last_at: TimeMs,
    running: Running,
}

impl<'a> Entering<'a> {
    fn begin(
        snapshots: &'a [Snapshot],
        history: Option<History>,
        config: &AuditConfig,
        audited: &mut Audited,
        findings: &mut Findings,
    ) -> Self {
        let first_seq = audited.first_seq;
        let usable = snapshots.iter().position(|snapshot| snapshot.from_seq >= first_seq);
        let (books, first) = match usable {
            _ if first_seq == 1 => (Some(Books::new(config.keys_max)), 0),
            Some(at) => {
                let snapshot = &snapshots[at];
                let last = snapshot.last_seq;
                audited.began_with = Some(snapshot.path.clone());
                audited.notes.push(format!(
                    "records before {first_seq} are no longer kept: the books begin with the snapshot of record {last}"
                ));
                (Some(Books::begin_with(snapshot, config.keys_max, findings)), at + 1)
            }
            None => {
                findings.add_whole(
                    Kind::Sequence,
                    format!(
                        "the records begin with {first_seq}, and no snapshot shows what came before"
                    ),
                );
                (None, snapshots.len())
            }
        };
        let schedule = Schedule::new(snapshots, first);
        let mut entering = Self {
            books,
            schedule,
            history,
            next: first_seq,
            broken_at: None,
            entered: 0,
            last_at: 0,
            running: Running::default(),
        };
        if let Some(books) = &entering.books {
            entering.schedule.after(first_seq - 1, books, findings);
        }
        entering
    }

    fn record(&mut self, seq: Seq, kind: u16, payload: &[u8], findings: &mut Findings) {
        let expected = std::mem::replace(&mut self.next, seq + 1);
        let Some(books) = self.books.as_mut().filter(|_| self.broken_at.is_none()) else {
            return;
        };
        if seq != expected {
            self.broken_at = Some(expected);
            return;
        }
        match event::decode(kind, payload) {
            Ok(event) => {
                self.last_at = self.last_at.max(event.at);
                self.running.event(event.at);
                if let Some(history) = &mut self.history {
                    history.event(seq, &event, books, findings);
                }
                books.enter(seq, &event, findings);
                self.entered += 1;
                self.schedule.after(seq, books, findings);
            }
            Err(error) => {
                findings.add(Kind::Record, seq, error.to_string());
                self.broken_at = Some(seq);
            }
        }
    }

    fn finish(self, marks: &Marks, audited: &mut Audited, findings: &mut Findings) -> Result<()> {
        (audited.entered, audited.last_at) = (self.entered, self.last_at);
        audited.snapshot_parts = self.schedule.compared;
        if let Some(books) = &self.books {
            (audited.accounts, audited.pending) = (books.accounts.len(), books.pending.len());
        }
        if let Some(seq) = self.broken_at {
            audited.notes.push(format!(
                "the books end before record {seq}: nothing after it was recomputed"
            ));
        }
        for snapshot in self.schedule.beyond(audited.last_seq) {
            let what = format!(
                "it shows record {}, and the journal ends at record {}: acknowledged records are missing",
                snapshot.last_seq, audited.last_seq
            );
            findings.add_in(Kind::Loss, &snapshot.path, 0, what);
        }
        // Books that end early do not know what became of what they hold.
        let is_whole = self.broken_at.is_none();
        if let Some(books) = self.books.as_ref().filter(|_| is_whole) {
            leaks::check(books, &self.running, findings);
        }
        match (self.history, &self.books) {
            (Some(history), Some(books)) => {
                history.finish(audited.last_seq, marks, (books, is_whole), findings)
            }
            _ => Ok(()),
        }
    }
}
