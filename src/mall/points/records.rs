//! What is on record of a user's points: from history, newest first, page by page.

use super::merged;
use crate::base::error::Result;
use crate::base::{Seq, TimeMs};
use crate::engine::Engine;
use crate::history::record::ChangeRecord;
use crate::mall::facts::PointsNote;
use crate::mall::model::PointsSource;
use crate::mall::{Mall, User, order_id};

/// How many records are read at once.
const PIECE: usize = 64;
/// How many are looked at for one page: whoever wants more asks for the next.
const LOOKED_AT_MAX: usize = 4096;
/// By how much the clock may have been set back under a record that is looked for by its time.
const SET_BACK_MS: u64 = 86_400_000;

/// Which records to find.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PointsFilter {
    pub(crate) source: Option<PointsSource>,
    /// Of this time, both included.
    pub(crate) from: Option<TimeMs>,
    pub(crate) to: Option<TimeMs>,
}

/// A change of what a user can spend.
#[derive(Debug)]
pub(crate) struct PointsRecord(ChangeRecord);

/// Records, newest first.
#[derive(Debug, Default)]
pub(crate) struct PointsPage {
    pub(crate) records: Vec<PointsRecord>,
    /// Where the next page begins; `None` at the end.
    pub(crate) next_before: Option<Seq>,
}

impl PointsRecord {
    pub(crate) fn change(&self) -> &ChangeRecord {
        &self.0
    }

    pub(crate) fn note(&self) -> PointsNote<'_> {
        PointsNote::read(&self.0.note)
    }

    pub(crate) fn source(&self) -> PointsSource {
        self.note().source.unwrap_or_else(|| PointsSource::of_change(self.0.kind))
    }

    /// Why, for people.
    #[cfg(feature = "server")]
    pub(crate) fn described(&self) -> &str {
        match self.note().note.reason {
            "" => self.source().reason(),
            reason => reason,
        }
    }

    /// What could be spent before it.
    pub(crate) fn balance_before(&self) -> i64 {
        self.0.available.saturating_sub(self.0.delta)
    }

    /// The order behind it: of this mall, or the one that was named.
    pub(crate) fn order(&self) -> Option<String> {
        let of_mall = self.0.reservation.map(order_id);
        of_mall.or_else(|| self.note().order.map(str::to_owned))
    }
}

impl PointsFilter {
    /// Whether nothing that is as old as this, or older, is wanted.
    fn is_past(&self, record: &PointsRecord) -> bool {
        self.from.is_some_and(|from| record.0.at.saturating_add(SET_BACK_MS) < from)
    }

    /// What leaves the balance as it is, such as the confirmation of an order, is no record of it.
    fn wants(&self, record: &PointsRecord) -> bool {
        let at = record.0.at;
        record.0.delta != 0
            && self.from.is_none_or(|from| at >= from)
            && self.to.is_none_or(|to| at <= to)
            && self.source.is_none_or(|source| record.source() == source)
    }
}

impl Mall {
    /// The records of a user's points that `filter` finds, of events before `before`: at most
    /// `limit`, and besides them those of the last one's own event. It shows everything that was
    /// acknowledged before the call.
    ///
    /// # Errors
    /// What history reports.
    pub(crate) async fn points_records(
        &self,
        user: &User,
        filter: PointsFilter,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<PointsPage> {
        self.check_alive()?;
        self.caught_up().await?;
        let Some(account) = user.points(self.engine()) else {
            return Ok(PointsPage::default());
        };
        let engine = self.engine().clone();
        let accounts = self.points_accounts(user, account);
        let piece = move |engine: &Engine, before| match accounts.as_slice() {
            [account] => engine.history().changes_of(*account, before, PIECE),
            accounts => merged::piece(engine, accounts, before, PIECE),
        };
        self.read(move || find(&filter, before, limit, |before| piece(&engine, before))).await
    }
}

/// Reads piece by piece, each older than the one before; of one event, all changes are in one piece.
fn find(
    filter: &PointsFilter,
    before: Option<Seq>,
    limit: usize,
    mut piece: impl FnMut(Option<Seq>) -> Result<Vec<ChangeRecord>>,
) -> Result<PointsPage> {
    let (mut page, mut at, mut looked_at) = (PointsPage::default(), before, 0);
    loop {
        let records = piece(at)?;
        let is_last = records.len() < PIECE;
        for record in records.into_iter().map(PointsRecord) {
            if filter.is_past(&record) {
                return Ok(page);
            }
            let seq = record.0.seq;
            looked_at += 1;
            at = Some(seq);
            if !filter.wants(&record) {
                continue;
            }
            // One more than asked for tells that there is a next page. No page ends within an event,
            // or the next one could not begin there.
            if let Some(last) = page.records.last().map(|last| last.0.seq)
                && page.records.len() >= limit
                && last != seq
            {
                page.next_before = Some(last);
                return Ok(page);
            }
            page.records.push(record);
        }
        if is_last {
            return Ok(page);
        }
        if looked_at >= LOOKED_AT_MAX {
            page.next_before = at;
            return Ok(page);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::AccountId;
    use crate::event::ChangeKind;

    /// The changes of these events, which are of the times of their numbers, newest first.
    fn changes(seqs: &[Seq]) -> Vec<ChangeRecord> {
        let change = |&seq| ChangeRecord {
            seq,
            account: AccountId::from_number(1),
            kind: if seq % 2 == 0 { ChangeKind::Received } else { ChangeKind::Adjusted },
            delta: if seq % 5 == 0 { 0 } else { 1 },
            available: 1,
            quantity: 1,
            reservation: None,
            at: seq * SET_BACK_MS,
            note: String::new(),
        };
        seqs.iter().map(change).collect()
    }

    /// As history reads: whole events.
    fn piece_of(all: &[ChangeRecord], before: Option<Seq>) -> Vec<ChangeRecord> {
        let older: Vec<_> =
            all.iter().filter(|it| before.is_none_or(|before| it.seq < before)).cloned().collect();
        let last = older.get(PIECE - 1).map(|it| it.seq);
        let is_in = |(at, it): &(usize, ChangeRecord)| *at < PIECE || Some(it.seq) == last;
        older.into_iter().enumerate().filter(is_in).map(|(_, it)| it).collect()
    }

    fn walk(all: &[ChangeRecord], filter: PointsFilter, limit: usize) -> Vec<Vec<Seq>> {
        let (mut pages, mut before) = (Vec::new(), None);
        loop {
            let page = find(&filter, before, limit, |before| Ok(piece_of(all, before)));
            let page = page.expect("it reads");
            pages.push(page.records.iter().map(|it| it.0.seq).collect());
            before = page.next_before;
            if before.is_none() {
                return pages;
            }
        }
    }

    #[test]
    fn pages_have_every_record_once_and_never_end_within_an_event() {
        let all = changes(&[9, 8, 7, 7, 7, 6, 5, 4]);
        let pages = walk(&all, PointsFilter::default(), 3);
        assert_eq!(pages, [vec![9, 8, 7, 7, 7], vec![6, 4]], "what changes nothing is left out");
        assert_eq!(walk(&all, PointsFilter::default(), 7).concat().len(), 7);
        let many: Vec<Seq> = (1..=10_000).rev().collect();
        let pages = walk(&changes(&many), PointsFilter::default(), 100);
        let expected: Vec<Seq> = many.iter().copied().filter(|seq| seq % 5 != 0).collect();
        assert_eq!(pages.concat(), expected);
    }

    #[test]
    fn a_filter_finds_by_source_and_time_and_bounds_how_far_it_looks() {
        let many: Vec<Seq> = (1..=10_000).rev().collect();
        let all = changes(&many);
        let filter = PointsFilter {
            source: Some(PointsSource::AdminAdjust),
            from: Some(3 * SET_BACK_MS),
            to: Some(11 * SET_BACK_MS),
        };
        let pages = walk(&all, filter, 100);
        assert_eq!(pages.concat(), [11, 9, 7, 3]);
        assert!(pages.len() > 2, "what is far back is found over several pages: {}", pages.len());
        let none = PointsFilter { source: Some(PointsSource::InviteReward), ..filter };
        assert_eq!(walk(&all, none, 100).concat(), [0; 0]);
    }
}
