//! A column, declared once: what it is in the database, where its value comes from, what becomes of
//! it in a row that is there, and whether a check compares it. Statements, migrations, checks,
//! reloads and the written schema follow from it.

use std::borrow::Cow;
use std::sync::Arc;

use mysql_async::Value;

use crate::base::{Seq, TimeMs};
use crate::sink::mysql::schema::{self, Kind};
use crate::sink::mysql::value::{plain_json, text};

/// What becomes a row of a table.
pub(in crate::sink::mysql) trait Record: 'static {
    /// The occasions on which rows are written, where they differ.
    type Write: Copy;

    /// The event that the row is as of.
    fn seq(&self) -> Seq;
}

/// A record of a run of events, found by its key.
pub(in crate::sink::mysql) trait Keyed {
    fn new(key: &Arc<str>) -> Self;

    /// An event changed it.
    fn touch(&mut self, seq: Seq, at: TimeMs);
}

/// What a statement does with a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sink::mysql) enum Fill {
    /// Nothing.
    Skip,
    /// A new row gets the value; one that is there keeps its own.
    Once,
    /// Every row gets the value.
    Set,
    /// Every row gets the value, unless it is null.
    SetIfKnown,
    /// A new row gets the value; one that is there gets it added.
    Add,
    /// A row that was somebody else's begins at 0: its number meant nothing to the ledger.
    Begin,
}

/// When a check compares a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sink::mysql) enum Compared {
    No,
    /// It never changes.
    Made,
    /// It is as the last event left it.
    State,
}

/// A column of a table whose rows come from `R`.
pub(in crate::sink::mysql) struct Column<R: Record> {
    pub(super) schema: schema::Column,
    /// `None` where it is somebody else's to write.
    pub(super) value: Option<fn(&R) -> Value>,
    pub(super) fill: fn(R::Write) -> Fill,
    pub(super) compared: Compared,
    /// Whether a row knows what must stand there.
    is_known: fn(&R) -> bool,
}

impl<R: Record> Column<R> {
    const fn of(schema: schema::Column, value: Option<fn(&R) -> Value>) -> Self {
        Self { schema, value, fill: |_| Fill::Set, compared: Compared::No, is_known: |_| true }
    }

    /// What the statements do with it, where they do not all set it.
    pub(super) const fn fill(self, fill: fn(R::Write) -> Fill) -> Self {
        Self { fill, ..self }
    }

    /// It is only ever written with a new row.
    pub(super) const fn once(self) -> Self {
        self.fill(|_| Fill::Once)
    }

    /// A check compares it.
    pub(super) const fn compared(self, compared: Compared) -> Self {
        Self { compared, ..self }
    }

    /// A check compares it in rows of which this is so.
    pub(super) const fn compared_where(self, is_known: fn(&R) -> bool) -> Self {
        Self { compared: Compared::State, is_known, ..self }
    }

    /// It tells of a delivery: while the mall has sent nothing, whoever delivers may write it.
    pub(super) const fn shipping(self) -> Self {
        Self { schema: schema::Column { is_shipping: true, ..self.schema }, ..self }
    }

    /// What it holds, for the written schema.
    pub(super) const fn about(self, about: &'static str) -> Self {
        Self { schema: schema::Column { about, ..self.schema }, ..self }
    }

    /// What a check must find; `None` where anything may stand.
    pub(super) fn shown(&self, record: &R) -> Option<String> {
        let value = self.value.filter(|_| (self.is_known)(record))?;
        Some(self.told(&text(&value(record))).into_owned())
    }

    /// A value as checks compare it.
    pub(super) fn told<'v>(&self, value: &'v str) -> Cow<'v, str> {
        match self.schema.kind == Kind::Json {
            true => plain_json(value).map_or(Cow::Borrowed(value), Cow::Owned),
            false => Cow::Borrowed(value),
        }
    }
}

/// What a column can be declared as; `rest` follows its type.
impl<R: Record> Column<R> {
    /// It may be null.
    pub(super) const fn nullable(name: &'static str, kind: Kind, value: fn(&R) -> Value) -> Self {
        Self::of(schema::column(name, kind), Some(value))
    }

    /// It is never null.
    pub(super) const fn must(
        name: &'static str,
        kind: Kind,
        rest: &'static str,
        value: fn(&R) -> Value,
    ) -> Self {
        Self::of(schema::must(name, kind, rest), Some(value))
    }

    /// It may be null, and has a default.
    pub(super) const fn or(
        name: &'static str,
        kind: Kind,
        rest: &'static str,
        value: fn(&R) -> Value,
    ) -> Self {
        Self::of(schema::or(name, kind, rest), Some(value))
    }

    /// Older tables do not have it.
    pub(super) const fn late(name: &'static str, kind: Kind, value: fn(&R) -> Value) -> Self {
        Self::of(schema::late(name, kind), Some(value))
    }

    /// It is somebody else's to write.
    pub(super) const fn theirs(name: &'static str, kind: Kind, rest: &'static str) -> Self {
        Self::of(schema::theirs(name, kind, rest), None)
    }

    /// The event behind the row: the mark by which the mirror knows its own.
    pub(super) const fn seq() -> Self {
        Self::nullable("seq", Kind::Unsigned, |record| record.seq().into())
            .about("the event it is as of; null in rows that are not the mirror's")
    }
}
