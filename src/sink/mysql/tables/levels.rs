//! `mall_levels`: the levels of members, and what each takes. With it `users.earned_points` says which
//! level a user has: it is looked up, and not kept, so that another threshold holds for everybody at once.

use super::column::{Column, Compared, Fill};
use super::{Meeting, Record, Rows, Table, users};
use crate::base::Seq;
use crate::mall::model::{LEVEL_NUMBER_MAX, MallLevel, MallLevels};
use crate::sink::mysql::prefix::Prefix;
use crate::sink::mysql::schema::Kind;

/// A level, as the document of levels leaves it.
#[derive(Debug)]
pub(in crate::sink::mysql) struct LevelRow {
    number: u8,
    /// `None` where there is none of this number any more.
    pub(in crate::sink::mysql) level: Option<MallLevel>,
    seq: Seq,
}

/// The occasions on which a level is written: it is there, or it is there no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sink::mysql) enum Write {
    Known,
    Gone,
}

impl Record for LevelRow {
    type Write = Write;

    fn seq(&self) -> Seq {
        self.seq
    }
}

type C = Column<LevelRow>;

pub(in crate::sink::mysql) const TABLE: Table<LevelRow> = Table {
    name: "mall_levels",
    columns: &[
        C::must("id", Kind::Id(8), "", |row| row.number.to_string().into())
            .once()
            .compared(Compared::Made),
        C::must("level", Kind::Small, "", |row| row.number.into()).compared(Compared::State),
        C::must("name", Kind::Name(100), "", |row| {
            row.level.as_ref().map_or("", |level| &*level.name).into()
        })
        .fill(|write| match write {
            Write::Known => Fill::Set,
            Write::Gone => Fill::Once,
        })
        .compared(Compared::State),
        C::nullable("earned_points", Kind::Big, |row| {
            row.level.as_ref().map(|level| level.earned_points).into()
        })
        .compared(Compared::State)
        .about("who has earned so many has it; null once there is no such level"),
        C::seq(),
    ],
    indexed: &["earned_points"],
    marks: &[],
    is_shared: true,
    is_kept: false,
};

/// A row for each number that a level may have.
pub(in crate::sink::mysql) fn all(levels: &MallLevels, seq: Seq) -> Vec<LevelRow> {
    let row = |number| LevelRow { number, level: levels.get(number).cloned(), seq };
    (1..=LEVEL_NUMBER_MAX).map(row).collect()
}

/// The levels that there are, and those that there are no more.
pub(in crate::sink::mysql) fn rows(all: &[LevelRow]) -> [Rows; 2] {
    let (known, gone) = (all.iter(), all.iter());
    [
        TABLE.rows(Write::Known, Meeting::Taken, known.filter(|row| row.level.is_some())),
        TABLE.rows(Write::Gone, Meeting::ChangedOnly, gone.filter(|row| row.level.is_none())),
    ]
}

/// Whether a row, as a check reads it, is of a level that there is no more.
pub(in crate::sink::mysql) fn is_gone(columns: &[&str], found: &[String]) -> bool {
    columns.iter().zip(found).any(|(name, value)| *name == "earned_points" && value == "null")
}

/// The statement that makes a view of which level each user has.
pub(in crate::sink::mysql) fn view(prefix: Prefix) -> String {
    let (users, levels) = (prefix.table(users::TABLE.name), prefix.table(TABLE.name));
    format!(
        "CREATE OR REPLACE SQL SECURITY INVOKER VIEW user_levels AS SELECT u.id AS user_id, u.earned_points, \
         IF(u.earned_points IS NULL, NULL, COALESCE((SELECT MAX(l.level) FROM {levels} l \
         WHERE l.earned_points <= GREATEST(u.earned_points, 0)), 1)) AS mall_level \
         FROM {users} u WHERE u.seq IS NOT NULL"
    )
}
