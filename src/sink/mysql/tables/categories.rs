//! `product_categories`: the categories of the catalogue.

use super::column::{Column, Compared, Fill};
use super::{Meeting, Record, Rows, Table};
use crate::base::{Seq, TimeMs};
use crate::mall::model::Category;
use crate::sink::mysql::schema::{Kind, NOW};
use crate::sink::mysql::time::datetime;

/// A category as its document leaves it.
#[derive(Debug)]
pub(in crate::sink::mysql) struct CategoryRow {
    pub(in crate::sink::mysql) id: String,
    /// `None` once it is gone: its row stays for what refers to it, and is not shown.
    pub(in crate::sink::mysql) category: Option<Box<Category>>,
    /// Who wrote it last. A removal says nothing of it: the document before it does.
    pub(in crate::sink::mysql) updated_by: Option<String>,
    pub(in crate::sink::mysql) seq: Seq,
    pub(in crate::sink::mysql) at: TimeMs,
}

impl Record for CategoryRow {
    type Write = ();

    fn seq(&self) -> Seq {
        self.seq
    }
}

impl CategoryRow {
    fn get<'a, T>(&'a self, field: impl FnOnce(&'a Category) -> T, otherwise: T) -> T {
        self.category.as_deref().map_or(otherwise, field)
    }

    fn is_there(&self) -> bool {
        self.category.is_some()
    }
}

type C = Column<CategoryRow>;

pub(in crate::sink::mysql) const TABLE: Table<CategoryRow> = Table {
    name: "product_categories",
    columns: &[
        C::must("id", Kind::Id(128), "", |row| row.id.as_str().into())
            .once()
            .compared(Compared::Made),
        C::must("name", Kind::Name(100), "", |row| row.get(|it| &*it.name, &*row.id).into())
            .compared_where(CategoryRow::is_there),
        C::nullable("description", Kind::Text, |row| row.get(|it| &*it.description, "").into()),
        C::nullable("icon", Kind::Name(500), |row| row.get(|it| it.icon.as_deref(), None).into()),
        C::nullable("parent_id", Kind::Id(128), |row| {
            row.get(|it| it.parent_id.as_deref(), None).into()
        })
        .compared_where(CategoryRow::is_there),
        C::or("level", Kind::Big, "DEFAULT 1", |row| row.get(|it| it.level, 1).into())
            .compared_where(CategoryRow::is_there),
        C::or("sort_order", Kind::Big, "DEFAULT 0", |row| row.get(|it| it.sort_order, 0).into())
            .compared_where(CategoryRow::is_there),
        C::or("status", Kind::Flag, "DEFAULT 1", |row| row.get(|it| it.active, false).into())
            .compared_where(CategoryRow::is_there)
            .about("whether it is shown; 0 once it is removed"),
        C::must("created_at", Kind::Time, NOW, |row| datetime(row.at)).once(),
        C::must("updated_at", Kind::Time, NOW, |row| datetime(row.at)),
        C::late("updated_by", Kind::Id(64), |row| row.updated_by.as_deref().into())
            .fill(|()| Fill::SetIfKnown)
            .compared_where(|row| row.updated_by.is_some())
            .about("the last operator who wrote it, or removed it"),
        C::seq(),
    ],
    indexed: &["parent_id", "level", "sort_order", "status"],
    marks: &[],
    is_shared: true,
    is_kept: false,
};

pub(in crate::sink::mysql) fn rows<'a>(categories: impl Iterator<Item = &'a CategoryRow>) -> Rows {
    TABLE.rows((), Meeting::Taken, categories)
}
