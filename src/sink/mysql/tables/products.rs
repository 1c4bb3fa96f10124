//! `products`: what the catalogue says of products, and what the ledger has of them.

use std::sync::Arc;

use super::column::{Column, Compared, Fill, Keyed};
use super::{Meeting, Record, Rows, Table};
use crate::base::{Seq, TimeMs};
use crate::event::ChangeKind;
use crate::event::effects::AccountChange;
use crate::mall::Kept;
use crate::mall::model::Product;
use crate::sink::mysql::schema::{Kind, NOW};
use crate::sink::mysql::time::{datetime, optional};
use crate::sink::mysql::value::json;

/// What became of a product.
#[derive(Debug)]
pub(in crate::sink::mysql) struct ProductRow {
    pub(in crate::sink::mysql) id: Arc<str>,
    pub(in crate::sink::mysql) document: Document,
    /// Who wrote its document last. A removal says nothing of it: the document before it does.
    pub(in crate::sink::mysql) updated_by: Option<String>,
    /// What can be bought after it, when that changed.
    pub(in crate::sink::mysql) stock: Option<i64>,
    /// By how much its sales changed.
    pub(in crate::sink::mysql) sales: i64,
    pub(in crate::sink::mysql) last_received_at: Option<TimeMs>,
    pub(in crate::sink::mysql) seq: Seq,
    pub(in crate::sink::mysql) at: TimeMs,
}

/// What became of a product's document.
#[derive(Debug, Default)]
pub(in crate::sink::mysql) enum Document {
    #[default]
    Same,
    Written(Box<Product>),
    /// It is not for sale any more; its numbers stay for reports.
    Removed,
}

/// The occasions on which a product is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sink::mysql) enum Write {
    Document,
    Removal,
    /// Its stock moved. A stock without a document is a product that is not for sale, named by its
    /// id.
    Stock,
    /// Everything up to some event is known at once.
    Base,
}

impl Record for ProductRow {
    type Write = Write;

    fn seq(&self) -> Seq {
        self.seq
    }
}

impl Keyed for ProductRow {
    fn new(id: &Arc<str>) -> Self {
        Self {
            id: Arc::clone(id),
            document: Document::Same,
            updated_by: None,
            stock: None,
            sales: 0,
            last_received_at: None,
            seq: 0,
            at: 0,
        }
    }

    fn touch(&mut self, seq: Seq, at: TimeMs) {
        (self.seq, self.at) = (seq, at);
    }
}

impl ProductRow {
    /// Its stock changed.
    pub(in crate::sink::mysql) fn moved(&mut self, change: &AccountChange<'_>) {
        self.stock = Some(change.available);
        self.sales += change.consumed;
        if change.kind == ChangeKind::Received {
            self.last_received_at = Some(self.at);
        }
    }

    fn written(&self) -> Option<&Product> {
        match &self.document {
            Document::Written(product) => Some(product),
            Document::Same | Document::Removed => None,
        }
    }

    /// Its document was written, or removed where there is none: then the document before says who
    /// did.
    pub(in crate::sink::mysql) fn documented(&mut self, document: Option<Box<Kept<Product>>>) {
        self.document = match document {
            Some(kept) => {
                let Kept { content, stamp, .. } = *kept;
                self.updated_by = stamp.updated_by.or(self.updated_by.take());
                Document::Written(Box::new(content))
            }
            None => Document::Removed,
        };
    }

    fn get<'a, T>(&'a self, field: impl FnOnce(&'a Product) -> T, otherwise: T) -> T {
        self.written().map_or(otherwise, field)
    }

    fn is_written(&self) -> bool {
        self.written().is_some()
    }

    fn created_at(&self) -> TimeMs {
        match self.get(|it| it.created_at, 0) {
            0 => self.at,
            created_at => created_at,
        }
    }
}

/// What only a document says.
fn by_document(write: Write) -> Fill {
    match write {
        Write::Document => Fill::Set,
        Write::Removal | Write::Stock | Write::Base => Fill::Skip,
    }
}

/// What a document says, and no row can be without.
fn by_document_or_once(write: Write) -> Fill {
    match write {
        Write::Document => Fill::Set,
        Write::Removal | Write::Stock | Write::Base => Fill::Once,
    }
}

/// What the ledger counts.
fn by_stock(write: Write, moved: Fill) -> Fill {
    match write {
        Write::Document => Fill::Begin,
        Write::Removal => Fill::Skip,
        Write::Stock => moved,
        Write::Base => Fill::Set,
    }
}

type C = Column<ProductRow>;

pub(in crate::sink::mysql) const TABLE: Table<ProductRow> = Table {
    name: "products",
    columns: &[
        C::must("id", Kind::Id(64), "", |row| (&*row.id).into()).once().compared(Compared::Made),
        C::must("name", Kind::Name(200), "", |row| row.get(|it| &*it.name, &*row.id).into())
            .fill(by_document_or_once)
            .compared_where(ProductRow::is_written),
        C::nullable("description", Kind::Text, |row| row.get(|it| &*it.description, "").into())
            .fill(by_document),
        C::must("category_id", Kind::Id(128), "", |row| row.get(|it| &*it.category_id, "").into())
            .fill(by_document_or_once)
            .compared_where(ProductRow::is_written),
        C::must("points_price", Kind::Big, "", |row| row.get(|it| it.points_price, 0).into())
            .fill(by_document_or_once)
            .compared_where(ProductRow::is_written)
            .about("what one unit costs, in points"),
        C::nullable("original_price", Kind::Price, |row| {
            let cents = row.get(|it| it.original_price_cents, None);
            cents.map(|cents| format!("{}.{:02}", cents / 100, cents % 100)).into()
        })
        .fill(by_document),
        C::must("stock_quantity", Kind::Big, "DEFAULT 0", |row| {
            row.stock.unwrap_or_default().into()
        })
        .fill(|write| by_stock(write, Fill::Set))
        .compared(Compared::State)
        .about("what can be bought"),
        C::must("sales_count", Kind::Big, "DEFAULT 0", |row| row.sales.into())
            .fill(|write| by_stock(write, Fill::Add))
            .compared(Compared::State)
            .about("units of orders that stand"),
        C::late("last_received_at", Kind::Time, |row| optional(row.last_received_at))
            .fill(|write| match write {
                Write::Document | Write::Removal => Fill::Skip,
                Write::Stock => Fill::SetIfKnown,
                Write::Base => Fill::Once,
            })
            .about("when units came in last"),
        C::nullable("images", Kind::Json, |row| {
            row.get(|it| json(&it.images), "[]".to_owned()).into()
        })
        .fill(by_document),
        C::nullable("specifications", Kind::Json, |row| {
            row.written().map(|it| json(&it.specifications)).into()
        })
        .fill(by_document),
        C::or("is_hot", Kind::Flag, "DEFAULT FALSE", |row| row.get(|it| it.is_hot, false).into())
            .fill(by_document),
        C::or("is_new", Kind::Flag, "DEFAULT FALSE", |row| row.get(|it| it.is_new, false).into())
            .fill(by_document),
        C::or("status", Kind::Flag, "DEFAULT 1", |row| row.get(|it| it.active, false).into())
            .fill(|write| match write {
                Write::Document | Write::Removal => Fill::Set,
                Write::Stock | Write::Base => Fill::Once,
            })
            .compared(Compared::State)
            .about("whether it is for sale"),
        C::or("sort_order", Kind::Big, "DEFAULT 0", |row| row.get(|it| it.sort_order, 0).into())
            .fill(by_document),
        C::late("limit_per_user", Kind::Json, |row| {
            row.get(|it| it.limit_per_user, None).map(|limit| json(&limit)).into()
        })
        .fill(by_document)
        .about("how many units one user may have"),
        C::late("by_level", Kind::Json, |row| row.get(|it| Some(json(&it.by_level)), None).into())
            .fill(by_document)
            .about(
                "price and limit from a level of members on, where they are not as for everybody",
            ),
        C::late("low_stock_threshold", Kind::Big, |row| {
            row.get(|it| it.low_stock_threshold, None).into()
        })
        .fill(by_document)
        .about("operators are told when no more units than that can be bought"),
        C::late("waiting_places", Kind::Big, |row| row.get(|it| it.waiting_places, None).into())
            .fill(by_document)
            .about("how many may wait in line when it is sold out; NULL is as the server says"),
        C::late("sale_starts_at", Kind::Time, |row| {
            optional(row.get(|it| it.sale_starts_at, None))
        })
        .fill(by_document)
        .about("nobody gets it before then"),
        C::must("created_at", Kind::Time, NOW, |row| datetime(row.created_at()))
            .fill(by_document_or_once),
        C::must("updated_at", Kind::Time, NOW, |row| datetime(row.at)).fill(|write| match write {
            Write::Document | Write::Removal | Write::Stock => Fill::Set,
            Write::Base => Fill::Once,
        }),
        C::late("updated_by", Kind::Id(64), |row| row.updated_by.as_deref().into())
            .fill(|write| match write {
                Write::Document | Write::Removal => Fill::SetIfKnown,
                Write::Stock | Write::Base => Fill::Skip,
            })
            .compared_where(|row| row.updated_by.is_some())
            .about("the last operator who wrote its document, or removed it"),
        C::seq(),
    ],
    indexed: &[
        "category_id",
        "points_price",
        "status",
        "is_hot",
        "is_new",
        "sales_count",
        "sort_order",
    ],
    marks: &[],
    is_shared: true,
    is_kept: false,
};

/// What documents say.
pub(in crate::sink::mysql) fn documents<'a>(
    products: impl Iterator<Item = &'a ProductRow> + Clone,
) -> [Rows; 2] {
    let written = products.clone().filter(|row| row.is_written());
    let removed = products.filter(|row| matches!(row.document, Document::Removed));
    [
        TABLE.rows(Write::Document, Meeting::Taken, written),
        TABLE.rows(Write::Removal, Meeting::Taken, removed),
    ]
}

/// What stocks have: how they changed, or how they stand.
pub(in crate::sink::mysql) fn stocks<'a>(
    products: impl Iterator<Item = &'a ProductRow>,
    write: Write,
) -> Rows {
    TABLE.rows(write, Meeting::Taken, products.filter(|row| row.stock.is_some()))
}
