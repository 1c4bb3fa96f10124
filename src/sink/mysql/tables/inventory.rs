//! `inventory_records`: every change of a product's stock.

use super::column::Column;
use super::{Meeting, RecordRow, Rows, Table};
use crate::mall::model::change_type;
use crate::sink::mysql::schema::{Kind, NOW};
use crate::sink::mysql::time::datetime;

type C = Column<RecordRow>;

pub(in crate::sink::mysql) const TABLE: Table<RecordRow> = Table {
    name: "inventory_records",
    columns: &[
        C::must("id", Kind::Id(36), "", |row| row.id("inv_").into())
            .about("event and account, so that it sorts as things happened; _ and a number behind the first of several"),
        C::must("product_id", Kind::Id(64), "", |row| (&*row.owner).into()),
        C::must("change_type", Kind::Small, "", |row| change_type(row.kind).into())
            .about("1 in, 2 out, 3 reserved, 4 given back, 5 adjusted"),
        C::must("quantity_change", Kind::Big, "", |row| row.delta.into())
            .about("by how much what can be bought changed; 0 for a confirm of what was reserved"),
        C::must("stock_before", Kind::Big, "", |row| row.before().into()),
        C::must("stock_after", Kind::Big, "", |row| row.available.into()),
        C::nullable("related_order_id", Kind::Id(36), |row| row.order().into()),
        C::late("operator_id", Kind::Id(64), |row| row.operator().into())
            .about("who changed it, where somebody did"),
        C::nullable("description", Kind::Text, |row| row.reason().into()),
        C::must("created_at", Kind::Time, NOW, |row| datetime(row.at)),
        C::must("quantity", Kind::Big, "DEFAULT 0", |row| row.quantity.into())
            .about("how many units it is about"),
        C::late("location", Kind::Id(64), |row| row.location.as_deref().into())
            .about("where the units are that it is about; null for those that are for sale"),
        C::seq(),
    ],
    indexed: &["product_id", "change_type", "related_order_id", "created_at"],
    marks: &["quantity"],
    is_shared: false,
    is_kept: false,
};

pub(in crate::sink::mysql) fn rows(records: &[RecordRow]) -> Rows {
    TABLE.rows((), Meeting::Refused, records.iter())
}
