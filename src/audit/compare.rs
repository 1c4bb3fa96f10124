//! Snapshots against the books, part by part: each shows another event, and is compared when the
//! books are there.

use std::collections::{BTreeMap, HashSet};

use super::books::{Books, shard_of};
use super::finding::{Findings, Kind};
use super::snapshot::{AccountRow, AnswerRow, PARTS, Part, PendingRow, SHARDS, Snapshot};
use crate::base::Seq;

/// Which parts of which snapshots are to be compared after which event.
pub(super) struct Schedule<'a> {
    snapshots: &'a [Snapshot],
    due: BTreeMap<Seq, Vec<(usize, usize)>>,
    pub(super) compared: usize,
    /// By snapshot: the events whose answers its parts show.
    answered: BTreeMap<usize, HashSet<Seq>>,
}

impl<'a> Schedule<'a> {
    /// Every part of the snapshots from number `first` on.
    pub(super) fn new(snapshots: &'a [Snapshot], first: usize) -> Self {
        let mut due: BTreeMap<Seq, Vec<(usize, usize)>> = BTreeMap::new();
        for (at, snapshot) in snapshots.iter().enumerate().skip(first) {
            for part in 0..PARTS {
                due.entry(snapshot.shown(part)).or_default().push((at, part));
            }
        }
        Self { snapshots, due, compared: 0, answered: BTreeMap::new() }
    }

    /// Compares what is due after the event `seq`; 0 is before the first.
    pub(super) fn after(&mut self, seq: Seq, books: &Books, findings: &mut Findings) {
        let Some(due) = self.due.remove(&seq) else {
            return;
        };
        for (at, part) in due {
            let snapshots = self.snapshots;
            let snapshot = &snapshots[at];
            let told = findings.count(Kind::Snapshot);
            let mut differs = |what: String| {
                // One difference of a part is enough: the others mostly follow from it.
                if findings.count(Kind::Snapshot) == told {
                    findings.add_in(
                        Kind::Snapshot,
                        &snapshot.path,
                        0,
                        format!("part {part}, as of event {seq}: {what}"),
                    );
                }
            };
            match snapshot.part(part) {
                None => differs("it is malformed".into()),
                Some(Part::Documents(documents)) => {
                    let makes = books.documents.iter().map(|((name, key), body)| (name, key, body));
                    if !documents.iter().map(|(name, key, body)| (name, key, body)).eq(makes) {
                        differs("it has other documents than the events make".into());
                    }
                }
                Some(Part::Shard { accounts, numbered, pending, answers }) => {
                    compare_accounts(part, &accounts, books, &mut differs);
                    compare_pending(part, &pending, books, &mut differs);
                    let answered = self.answered.entry(at).or_default();
                    answered.extend(answers.iter().map(|row| row.seq));
                    compare_answers(&answers, books, &mut differs);
                    if numbered != books.numbered[part] {
                        differs(format!(
                            "the next reservation is {numbered}, by the events {}",
                            books.numbered[part]
                        ));
                    }
                }
            }
            self.compared += 1;
        }
        let snapshots = self.snapshots;
        let whole = self.answered.extract_if(.., |at, _| snapshots[*at].last_seq == seq);
        for (at, shown) in whole.collect::<Vec<_>>() {
            compare_all_answers(&self.snapshots[at], &shown, books, findings);
        }
    }

    /// The snapshots that show events which were never reached.
    pub(super) fn beyond(&self, last_seq: Seq) -> impl Iterator<Item = &'a Snapshot> {
        self.snapshots.iter().filter(move |snapshot| snapshot.last_seq > last_seq)
    }
}

fn compare_accounts(
    part: usize,
    rows: &[AccountRow],
    books: &Books,
    differs: &mut impl FnMut(String),
) {
    let opened = books.opened[part];
    if rows.len() != opened as usize {
        differs(format!("it has {} accounts, by the events {opened}", rows.len()));
    }
    for (row, number) in rows.iter().zip((part as u32..).step_by(SHARDS)) {
        let Some(account) = books.accounts.get(&number) else {
            continue;
        };
        if let Some(difference) = account.difference(row) {
            differs(format!("{}: {difference}", row.key));
        }
    }
}

fn compare_pending(
    part: usize,
    rows: &[PendingRow],
    books: &Books,
    differs: &mut impl FnMut(String),
) {
    let here = books.pending.keys().filter(|id| shard_of(**id) == part).count();
    if rows.len() != here {
        differs(format!("{} reservations are pending, by the events {here}", rows.len()));
    }
    for row in rows {
        let same = books.pending.get(&row.reservation).is_some_and(|held| {
            held.expires_at == row.expires_at && held.owner == row.owner && held.lines == row.lines
        });
        if !same {
            differs(format!(
                "reservation {} is pending like this, and by the events is not",
                row.reservation
            ));
        }
    }
}

fn compare_answers(rows: &[AnswerRow], books: &Books, differs: &mut impl FnMut(String)) {
    rows.iter().filter_map(|row| books.answers.difference(row)).for_each(differs);
}

/// Where each answer is placed follows from no file, so what is missing is known only of all parts
/// together.
fn compare_all_answers(
    snapshot: &Snapshot,
    shown: &HashSet<Seq>,
    books: &Books,
    findings: &mut Findings,
) {
    if !snapshot.promises() || findings.count(Kind::Snapshot) > 0 {
        return;
    }
    if let Some(seq) = books.answers.missing(shown, snapshot.from_seq - 1) {
        let what = format!("it has no answer of event {seq}, which is promised still");
        findings.add_in(Kind::Snapshot, &snapshot.path, 0, what);
    }
}
