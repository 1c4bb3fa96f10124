//! `user_preferences`: what users say that they like, and what they looked at last.

use std::sync::Arc;

use mysql_async::Value;
use serde_json::json;

use super::column::{Column, Compared, Fill, Keyed};
use super::{Meeting, Record, Rows, Table};
use crate::base::{Seq, TimeMs};
use crate::mall::facts::{Browsed, Preferences};
use crate::sink::mysql::schema::{Kind, NOW};
use crate::sink::mysql::time::datetime;

/// What became of what a user likes.
#[derive(Debug)]
pub(in crate::sink::mysql) struct PreferencesRow {
    pub(in crate::sink::mysql) id: Arc<str>,
    pub(in crate::sink::mysql) said: Said<Preferences>,
    pub(in crate::sink::mysql) browsed: Said<Browsed>,
    pub(in crate::sink::mysql) seq: Seq,
    pub(in crate::sink::mysql) at: TimeMs,
}

/// What a document says.
#[derive(Debug)]
pub(in crate::sink::mysql) enum Said<T> {
    /// Nothing has changed.
    NoMore,
    /// There is none any more.
    Nothing,
    This(Box<T>),
}

impl<T> Said<T> {
    pub(in crate::sink::mysql) fn of(document: Option<T>) -> Self {
        document.map_or(Self::Nothing, |document| Self::This(Box::new(document)))
    }

    fn is_news(&self) -> bool {
        !matches!(self, Self::NoMore)
    }

    fn get<V>(&self, field: impl FnOnce(&T) -> V) -> Option<V> {
        match self {
            Self::NoMore | Self::Nothing => None,
            Self::This(document) => Some(field(document)),
        }
    }
}

/// The occasions on which a row is written: its document of the one kind was, or of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sink::mysql) enum Write {
    Said,
    Browsed,
}

impl Record for PreferencesRow {
    type Write = Write;

    fn seq(&self) -> Seq {
        self.seq
    }
}

impl Keyed for PreferencesRow {
    fn new(id: &Arc<str>) -> Self {
        let (said, browsed) = (Said::NoMore, Said::NoMore);
        Self { id: Arc::clone(id), said, browsed, seq: 0, at: 0 }
    }

    fn touch(&mut self, seq: Seq, at: TimeMs) {
        (self.seq, self.at) = (seq, at);
    }
}

impl PreferencesRow {
    fn said<V: Into<Value>>(&self, field: impl FnOnce(&Preferences) -> V) -> Value {
        self.said.get(field).map_or(Value::NULL, Into::into)
    }
}

fn by_said(write: Write) -> Fill {
    match write {
        Write::Said => Fill::Set,
        Write::Browsed => Fill::Skip,
    }
}

fn by_browsed(write: Write) -> Fill {
    match write {
        Write::Said => Fill::Skip,
        Write::Browsed => Fill::Set,
    }
}

/// Parts of one, by the ids of categories.
fn weights(likes: &Preferences) -> String {
    let weights = likes.category_weights.iter();
    let weights = weights.map(|(id, weight)| (id.clone(), f64::from(*weight) / 100.0));
    json!(weights.collect::<std::collections::BTreeMap<_, _>>()).to_string()
}

fn favourites(likes: &Preferences) -> String {
    let favourites = likes.favourites.iter().rev();
    let favourite = |it: &crate::mall::facts::Favourite| json!({"productId": it.product_id, "addedAt": it.added_at});
    json!(favourites.map(favourite).collect::<Vec<_>>()).to_string()
}

fn looks(browsed: &Browsed) -> String {
    let looks = browsed.products.iter().rev();
    let looks = looks.map(|look| json!({"productId": look.id, "viewedAt": look.at}));
    json!(looks.collect::<Vec<_>>()).to_string()
}

type C = Column<PreferencesRow>;

pub(in crate::sink::mysql) const TABLE: Table<PreferencesRow> = Table {
    name: "user_preferences",
    columns: &[
        C::must("id", Kind::Id(64), "", |row| (&*row.id).into()).once().compared(Compared::Made),
        C::must("user_id", Kind::Id(64), "UNIQUE", |row| (&*row.id).into())
            .once()
            .compared(Compared::Made)
            .about("as `id`"),
        C::nullable("category_preferences", Kind::Json, |row| row.said(weights))
            .fill(by_said)
            .compared(Compared::State)
            .about("weights from 0 to 1, by the ids of categories"),
        C::nullable("price_sensitivity", Kind::Share, |row| {
            let share = row.said.get(|likes| likes.price_sensitivity).flatten();
            share.map(|share| format!("{}.{:02}", share / 100, share % 100)).into()
        })
        .fill(by_said)
        .compared(Compared::State)
        .about("0 to 1"),
        C::theirs("brand_preferences", Kind::Json, ""),
        C::nullable("browsing_history", Kind::Json, |row| {
            row.browsed.get(looks).map_or(Value::NULL, Into::into)
        })
        .fill(by_browsed)
        .compared(Compared::State)
        .about("the products that were looked at last, the newest first"),
        C::theirs("exchange_history", Kind::Json, ""),
        C::must("last_updated", Kind::Time, NOW, |row| datetime(row.at)),
        C::late("favourites", Kind::Json, |row| row.said(favourites))
            .fill(by_said)
            .compared(Compared::State)
            .about("products that the user has marked, the newest first"),
        C::seq(),
    ],
    indexed: &["last_updated"],
    marks: &[],
    is_shared: true,
    is_kept: true,
};

/// Whether a row, as a check reads it, says nothing any more of its user.
pub(in crate::sink::mysql) fn is_erased(columns: &[&str], found: &[String]) -> bool {
    let mut values = columns.iter().zip(found);
    values.all(|(name, value)| matches!(*name, "id" | "user_id" | "seq") || value == "null")
}

/// What became of documents of the one kind, and of the other.
pub(in crate::sink::mysql) fn rows<'a>(
    all: impl Iterator<Item = &'a PreferencesRow> + Clone,
) -> [Rows; 2] {
    let said = all.clone().filter(|row| row.said.is_news());
    let browsed = all.filter(|row| row.browsed.is_news());
    [
        TABLE.rows(Write::Said, Meeting::Taken, said),
        TABLE.rows(Write::Browsed, Meeting::Taken, browsed),
    ]
}
