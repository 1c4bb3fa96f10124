//! A batch as rows of the tables, in the order they are written.

use mysql_async::Value;

use super::batch::{Batch, Change, Document, OrderRow, ProductChange, RecordRow, UserChange};
use super::check::pages::text;
use super::projection::json;
use super::statements::{
    CATEGORIES, INVENTORY, ORDER_ENDS, ORDERS, ORDERS_BASE, POINTS, PRODUCTS, PRODUCTS_REMOVED,
    STOCK, STOCK_BASE, Statement, USERS, USERS_BASE,
};
use super::time::{datetime, optional};
use crate::mall::model::{change_type, points_source};
use crate::mall::{Category, Note, Product, order_id, order_no};

/// A row on its way into a table.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) seq: u64,
    pub(super) values: Vec<Value>,
}

/// Rows for one statement.
pub(super) struct Rows {
    pub(super) statement: &'static Statement,
    pub(super) rows: Vec<Row>,
}

/// The rows of a batch, by statement: what others refer to comes first.
pub(super) fn rows(batch: &Batch) -> Vec<Rows> {
    let mut all = documents(batch);
    all.extend([
        Rows { statement: &STOCK, rows: stocks(batch) },
        Rows { statement: &USERS, rows: users(batch) },
        Rows { statement: &ORDERS, rows: orders(batch, true) },
        Rows { statement: &ORDER_ENDS, rows: orders(batch, false) },
        Rows { statement: &INVENTORY, rows: batch.inventory.iter().map(inventory).collect() },
        Rows { statement: &POINTS, rows: batch.points.iter().map(points).collect() },
    ]);
    all.retain(|rows| !rows.rows.is_empty());
    all
}

/// The rows of a batch that says how everything stands, not what changed.
pub(super) fn base_rows(batch: &Batch) -> Vec<Rows> {
    let mut all = documents(batch);
    all.extend([
        Rows { statement: &STOCK_BASE, rows: stocks(batch) },
        Rows { statement: &USERS_BASE, rows: users(batch) },
        Rows { statement: &ORDERS_BASE, rows: orders(batch, false) },
    ]);
    all.retain(|rows| !rows.rows.is_empty());
    all
}

fn documents(batch: &Batch) -> Vec<Rows> {
    let products = |removed: bool| {
        let products = batch.products.iter();
        products.filter_map(move |(id, change)| product(id, change, removed)).collect()
    };
    vec![
        Rows {
            statement: &CATEGORIES,
            rows: batch.categories.iter().map(|(id, it)| category(id, it)).collect(),
        },
        Rows { statement: &PRODUCTS, rows: products(false) },
        Rows { statement: &PRODUCTS_REMOVED, rows: products(true) },
    ]
}

fn stocks(batch: &Batch) -> Vec<Row> {
    batch.products.iter().filter_map(|(id, change)| stock(id, change)).collect()
}

fn users(batch: &Batch) -> Vec<Row> {
    batch.users.iter().map(|(id, change)| user(id, change)).collect()
}

fn category(id: &str, change: &Change<Option<Category>>) -> Row {
    let Change { seq, at, to } = change;
    let at = datetime(*at);
    let values = match to {
        Some(it) => vec![
            id.into(),
            it.name.as_str().into(),
            it.description.as_str().into(),
            it.icon.as_deref().into(),
            it.parent_id.as_deref().into(),
            it.level.into(),
            it.sort_order.into(),
            it.active.into(),
            at.clone(),
            at,
            (*seq).into(),
        ],
        // Its name is not known any more where it was never written.
        None => vec![
            id.into(),
            id.into(),
            "".into(),
            Value::NULL,
            Value::NULL,
            1.into(),
            0.into(),
            false.into(),
            at.clone(),
            at,
            (*seq).into(),
        ],
    };
    Row { id: id.to_owned(), seq: *seq, values }
}

fn product(id: &str, change: &Change<ProductChange>, removed: bool) -> Option<Row> {
    let (seq, at) = (change.seq, datetime(change.at));
    let values = match &change.to.document {
        Document::Written(it) if !removed => product_values(id, it, change),
        Document::Removed if removed => {
            vec![
                id.into(),
                id.into(),
                "".into(),
                0.into(),
                false.into(),
                at.clone(),
                at,
                seq.into(),
            ]
        }
        _ => return None,
    };
    Some(Row { id: id.to_owned(), seq, values })
}

fn product_values(id: &str, it: &Product, change: &Change<ProductChange>) -> Vec<Value> {
    let price = it.original_price_cents.map(|cents| format!("{}.{:02}", cents / 100, cents % 100));
    let created_at = if it.created_at == 0 { change.at } else { it.created_at };
    vec![
        id.into(),
        it.name.as_str().into(),
        it.description.as_str().into(),
        it.category_id.as_str().into(),
        it.points_price.into(),
        price.into(),
        json(&it.images).into(),
        json(&it.specifications).into(),
        it.is_hot.into(),
        it.is_new.into(),
        it.active.into(),
        it.sort_order.into(),
        datetime(created_at),
        datetime(change.at),
        change.seq.into(),
    ]
}

/// What is held against the ledger of a product: id, name, category, price, status, stock and
/// sales.
pub(super) fn product_shown(id: &str, change: &ProductChange) -> Vec<Option<String>> {
    let mut shown = vec![Some(id.to_owned())];
    match &change.document {
        Document::Written(it) => {
            let (price, status) = (it.points_price.to_string(), u8::from(it.active).to_string());
            shown.extend([it.name.clone(), it.category_id.clone(), price, status].map(Some));
        }
        // Without a document it is not for sale; what a document that is gone said may still stand
        // there.
        _ => shown.extend([None, None, None, Some("0".to_owned())]),
    }
    shown
        .extend([change.stock.unwrap_or_default().to_string(), change.sales.to_string()].map(Some));
    shown
}

/// What is held against the ledger of a category: id, name, parent, level, place and status.
pub(super) fn category_shown(id: &str, category: &Option<Category>) -> Vec<Option<String>> {
    let Some(it) = category else {
        return vec![Some(id.to_owned())];
    };
    let parent = it.parent_id.clone().unwrap_or_else(|| "null".to_owned());
    let [level, place, status] =
        [it.level.to_string(), it.sort_order.to_string(), u8::from(it.active).to_string()];
    [id.to_owned(), it.name.clone(), parent, level, place, status].map(Some).to_vec()
}

fn stock(id: &str, change: &Change<ProductChange>) -> Option<Row> {
    let Change { seq, at, to: ProductChange { stock, sales, .. } } = change;
    let stock = (*stock)?;
    let at = datetime(*at);
    let values = vec![
        id.into(),
        id.into(),
        "".into(),
        0.into(),
        false.into(),
        stock.into(),
        (*sales).into(),
        at.clone(),
        at,
        (*seq).into(),
    ];
    Some(Row { id: id.to_owned(), seq: *seq, values })
}

fn user(id: &str, change: &Change<UserChange>) -> Row {
    let Change { seq, at, to: UserChange { balance, reserved, exchanges, last_exchange_at } } =
        change;
    let values = vec![
        id.into(),
        // Whatever changes a user changes its points account, so there is a balance.
        balance.unwrap_or_default().into(),
        (*reserved).into(),
        (*exchanges).into(),
        optional(*last_exchange_at),
        datetime(*at),
        (*seq).into(),
    ];
    Row { id: id.to_owned(), seq: *seq, values }
}

fn orders(batch: &Batch, new: bool) -> Vec<Row> {
    let mut rows: Vec<Row> =
        batch.orders.iter().filter(|order| order.is_new == new).map(order).collect();
    // In the order of the table, which is mostly that of time.
    rows.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    rows
}

fn order(order: &OrderRow) -> Row {
    let id = order_id(order.reservation);
    let values = vec![
        id.as_str().into(),
        order_no(order.reservation).into(),
        (&*order.user).into(),
        (&*order.product).into(),
        order.snapshot.as_str().into(),
        order.quantity.into(),
        order.points_cost.into(),
        order.state.number().into(),
        order.state.name().into(),
        order.delivery_info.as_deref().into(),
        optional(order.exchanged_at),
        optional(order.cancelled_at),
        datetime(order.expires_at),
        datetime(order.created_at),
        datetime(order.at),
        order.seq.into(),
    ];
    Row { id, seq: order.seq, values }
}

/// What never changes of an order, as it is read: id, number, user, product, quantity, points,
/// deadline and beginning.
pub(super) fn order_made(order: &OrderRow) -> Vec<String> {
    let values: [Value; 8] = [
        order_id(order.reservation).into(),
        order_no(order.reservation).into(),
        (&*order.user).into(),
        (&*order.product).into(),
        order.quantity.into(),
        order.points_cost.into(),
        datetime(order.expires_at),
        datetime(order.created_at),
    ];
    values.iter().map(text).collect()
}

/// The id of a record: records sort by it as their events happened.
fn record_id(prefix: &str, record: &RecordRow) -> String {
    format!("{prefix}{:016x}_{:08x}", record.seq, record.account)
}

pub(super) fn inventory(record: &RecordRow) -> Row {
    let id = record_id("inv_", record);
    let values = vec![
        id.as_str().into(),
        (&*record.owner).into(),
        change_type(record.kind).into(),
        record.delta.into(),
        record.available.saturating_sub(record.delta).into(),
        record.available.into(),
        record.quantity.into(),
        record.reservation.map(order_id).into(),
        operator(record).into(),
        Note::read(&record.note).reason.into(),
        datetime(record.at),
        record.seq.into(),
    ];
    Row { id, seq: record.seq, values }
}

pub(super) fn points(record: &RecordRow) -> Row {
    let id = record_id("pts_", record);
    let values = vec![
        id.as_str().into(),
        (&*record.owner).into(),
        record.delta.into(),
        record.available.saturating_sub(record.delta).into(),
        record.available.into(),
        points_source(record.kind).name().into(),
        record.reservation.map(order_id).into(),
        record.reservation.map(order_id).into(),
        operator(record).into(),
        points_note(record).into(),
        datetime(record.at),
        record.seq.into(),
    ];
    Row { id, seq: record.seq, values }
}

/// Who made the change, where somebody did.
fn operator(record: &RecordRow) -> Option<&str> {
    Note::read(&record.note).operator
}

/// What the mall's document writes where nobody gave a reason.
fn points_note(record: &RecordRow) -> &str {
    let reason = Note::read(&record.note).reason;
    if reason.is_empty() { points_source(record.kind).reason() } else { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_value_for_each_column() {
        let batch = super::super::projection::tests::one_of_everything();
        let all = rows(&batch);
        let mut seen = Vec::new();
        for Rows { statement, rows } in &all {
            seen.push(statement.table);
            for row in rows {
                assert_eq!(row.values.len(), statement.columns.len(), "{}", statement.table);
                assert!(row.seq > 0 && !row.id.is_empty(), "{}", statement.table);
            }
        }
        seen.dedup();
        let expected = [
            "product_categories",
            "products",
            "users",
            "exchange_orders",
            "inventory_records",
            "points_records",
        ];
        assert_eq!(seen, expected);
    }
}
