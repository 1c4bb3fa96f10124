//! `users`: who ever had points.

use std::sync::Arc;

use super::column::{Column, Compared, Fill, Keyed};
use super::{Meeting, Record, Rows, Table};
use crate::base::{Seq, TimeMs};
use crate::event::effects::AccountChange;
use crate::sink::mysql::schema::{Kind, NOW};
use crate::sink::mysql::time::{datetime, optional};

/// What became of a user.
#[derive(Debug)]
pub(in crate::sink::mysql) struct UserRow {
    pub(in crate::sink::mysql) id: Arc<str>,
    /// Whatever changes a user changes its points account, so there is a balance.
    pub(in crate::sink::mysql) balance: Option<i64>,
    /// By how much what waiting orders hold changed.
    pub(in crate::sink::mysql) reserved: i64,
    /// By how much what was earned changed.
    pub(in crate::sink::mysql) earned: i64,
    /// By how much the number of exchanges that stand changed.
    pub(in crate::sink::mysql) exchanges: i64,
    pub(in crate::sink::mysql) last_exchange_at: Option<TimeMs>,
    /// Whether every exchange is counted; false where the oldest events are not kept.
    pub(in crate::sink::mysql) knows_exchanges: bool,
    pub(in crate::sink::mysql) seq: Seq,
    pub(in crate::sink::mysql) at: TimeMs,
}

/// The occasions on which a user is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sink::mysql) enum Write {
    Change,
    /// Everything up to some event is known at once, but for exchanges that nobody remembers.
    Base,
}

impl Record for UserRow {
    type Write = Write;

    fn seq(&self) -> Seq {
        self.seq
    }
}

impl Keyed for UserRow {
    fn new(id: &Arc<str>) -> Self {
        Self {
            id: Arc::clone(id),
            balance: None,
            reserved: 0,
            earned: 0,
            exchanges: 0,
            last_exchange_at: None,
            knows_exchanges: true,
            seq: 0,
            at: 0,
        }
    }

    fn touch(&mut self, seq: Seq, at: TimeMs) {
        (self.seq, self.at) = (seq, at);
    }
}

impl UserRow {
    /// Its points changed.
    pub(in crate::sink::mysql) fn moved(&mut self, change: &AccountChange<'_>) {
        self.balance = Some(change.available);
        self.reserved += change.held;
    }

    /// An exchange stands from now on, or no longer.
    pub(in crate::sink::mysql) fn stands(&mut self, by: i64, at: TimeMs) {
        self.exchanges += by;
        if by > 0 {
            self.last_exchange_at = Some(at);
        }
    }

    fn knows_exchanges(&self) -> bool {
        self.knows_exchanges
    }
}

/// What changes add to, and a base sets.
fn counted(write: Write) -> Fill {
    match write {
        Write::Change => Fill::Add,
        Write::Base => Fill::Set,
    }
}

/// What changes tell, and a base does not know.
fn told(write: Write, change: Fill) -> Fill {
    match write {
        Write::Change => change,
        Write::Base => Fill::Once,
    }
}

type C = Column<UserRow>;

pub(in crate::sink::mysql) const TABLE: Table<UserRow> = Table {
    name: "users",
    columns: &[
        C::must("id", Kind::Id(64), "", |row| (&*row.id).into()).once().compared(Compared::Made),
        C::must("created_at", Kind::Time, NOW, |row| datetime(row.at)).once(),
        C::theirs("mall_level", Kind::Small, "DEFAULT 1"),
        C::nullable("last_exchange_at", Kind::Time, |row| optional(row.last_exchange_at))
            .fill(|write| told(write, Fill::SetIfKnown))
            .compared_where(UserRow::knows_exchanges),
        C::must("total_exchanges", Kind::Big, "DEFAULT 0", |row| row.exchanges.into())
            .fill(|write| told(write, Fill::Add))
            .compared_where(UserRow::knows_exchanges)
            .about("exchanges that stand"),
        C::theirs("favorite_categories", Kind::Json, ""),
        C::must("points_balance", Kind::Big, "DEFAULT 0", |row| {
            row.balance.unwrap_or_default().into()
        })
        .compared(Compared::State)
        .about("what can be spent"),
        // It was not counted by the first release: where it is not known it stays so, until a
        // reload.
        C::late("points_reserved", Kind::Big, |row| row.reserved.into())
            .fill(counted)
            .compared(Compared::State)
            .about("what waiting orders hold"),
        C::late("earned_points", Kind::Big, |row| row.earned.into())
            .fill(counted)
            .compared(Compared::State)
            .about("what was ever earned; by it, `mall_levels` says the level"),
        C::seq(),
    ],
    indexed: &["mall_level", "last_exchange_at"],
    marks: &["points_balance"],
    is_shared: true,
    is_kept: true,
};

/// How users changed, or how they stand.
pub(in crate::sink::mysql) fn rows<'a>(
    users: impl Iterator<Item = &'a UserRow>,
    write: Write,
) -> Rows {
    TABLE.rows(write, Meeting::Taken, users)
}
