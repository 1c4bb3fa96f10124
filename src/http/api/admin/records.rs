//! What changed the stock of products: found by what it is about, page by page, or as a table. Records
//! are found and written beside the threads that sell, and what is read counts as memory of the
//! caller.

use std::borrow::Cow;

use serde::Serialize;

use crate::base::{QUANTITY_MAX, Seq, TimeMs};
use crate::http::api::csv;
use crate::http::call::OperatorCall;
use crate::http::error::ApiError;
use crate::http::format::Format;
use crate::http::media;
use crate::http::query;
use crate::http::reply::{Answer, success};
use crate::mall::model::{RecordPlace, change_type};
use crate::mall::{
    LOCATION_CHARS_MAX, Mall, Note, RecordFilter, StockRecord, StockRecords, User, is_location,
    order_id, parse_order_id,
};

const PAGE_SIZE: u64 = 20;
const PAGE_SIZE_MAX: u64 = 100;
/// How many records a table has at most, and how many bytes of reasons and the rest.
const ROWS: u64 = 1_000;
const ROWS_MAX: u64 = 10_000;
const TABLE_BYTES_MAX: usize = 4 << 20;
/// How many a page has.
const PAGE_BYTES_MAX: usize = 512 << 10;
/// About what a record takes beside its reason, in bytes.
const ROW_BYTES: usize = 384;

const COLUMNS: &str = "id,product_id,location,change_type,kind,quantity_change,stock_before,\
    stock_after,quantity,related_order_id,operator_id,description,created_at";

/// What is asked for.
#[derive(Debug, Default)]
pub(in crate::http) struct Asked {
    pub(in crate::http) filter: RecordFilter,
    pub(in crate::http) before: Option<RecordPlace>,
    page_size: Option<u64>,
    as_table: bool,
}

impl Asked {
    /// # Errors
    /// INVALID_REQUEST naming what is wrong.
    pub(in crate::http) fn parse(query: Vec<(String, String)>) -> Result<Self, ApiError> {
        let mut asked = Self::default();
        for (name, value) in query {
            let filter = &mut asked.filter;
            match name.as_str() {
                "before" => {
                    let place = RecordPlace::parse_stock_id(&value);
                    let place = place
                        .ok_or_else(|| ApiError::invalid("before must be the id of a record"))?;
                    asked.before = Some(place);
                }
                "page_size" => asked.page_size = Some(query::number(&name, &value, 1..=ROWS_MAX)?),
                "product_id" => filter.product = Some(id(&name, value)?),
                "operator" => filter.operator = Some(id(&name, value)?),
                "location" => filter.location = Some(location(value)?),
                "type" => {
                    let kinds = RecordFilter::kinds_named(&value);
                    filter.kinds = Some(kinds.ok_or_else(|| {
                        ApiError::invalid(
                            "type must be a number from 1 to 5, or the name of a kind",
                        )
                    })?);
                }
                "order_id" => {
                    let order = parse_order_id(&value).ok_or_else(|| {
                        ApiError::invalid("order_id must be an order's id or number")
                    })?;
                    filter.order = Some(order);
                }
                "from" => filter.from = Some(query::number(&name, &value, 0..=QUANTITY_MAX)?),
                "to" => filter.to = Some(query::number(&name, &value, 0..=QUANTITY_MAX)?),
                "format" => asked.as_table = csv::is_named(&value)?,
                _ => return Err(query::unknown(&name)),
            }
        }
        Ok(asked)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordsWire<'a> {
    records: Vec<RecordWire<'a>>,
    /// Ask with `before` set to this for the next page; null at the end. A page may be short, or
    /// empty, and not be the last.
    next_before: Option<String>,
}

/// A change of stock, as the mall's own table has it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordWire<'a> {
    id: String,
    seq: Seq,
    product_id: &'a str,
    /// Null for what is sold from.
    location: Option<&'a str>,
    change_type: u8,
    kind: &'static str,
    quantity_change: i64,
    stock_before: i64,
    stock_after: i64,
    quantity: u64,
    related_order_id: Option<String>,
    /// Who changed it by hand; null for what came of an order.
    operator: Option<&'a str>,
    description: &'a str,
    created_at: TimeMs,
}

impl<'a> RecordWire<'a> {
    fn of(record: &'a StockRecord) -> Self {
        let StockRecord { place, product_id, location, change } = record;
        let Note { operator, reason } = Note::read(&change.note);
        Self {
            id: place.stock_id(),
            seq: change.seq,
            product_id,
            location: location.as_deref(),
            change_type: change_type(change.kind),
            kind: change.kind.name(),
            quantity_change: change.delta,
            stock_before: change.available.saturating_sub(change.delta),
            stock_after: change.available,
            quantity: change.quantity,
            related_order_id: change.reservation.map(order_id),
            operator,
            description: reason,
            created_at: change.at,
        }
    }

    /// The fields of [`COLUMNS`].
    fn fields(&self) -> [Cow<'_, str>; 13] {
        [
            self.id.as_str().into(),
            csv::field(self.product_id),
            csv::optional(self.location),
            self.change_type.to_string().into(),
            self.kind.into(),
            self.quantity_change.to_string().into(),
            self.stock_before.to_string().into(),
            self.stock_after.to_string().into(),
            self.quantity.to_string().into(),
            csv::optional(self.related_order_id.as_deref()),
            csv::optional(self.operator),
            csv::field(self.description),
            csv::time(Some(self.created_at)),
        ]
    }
}

/// Newest first.
pub(in crate::http) async fn list(call: OperatorCall<'_>) -> Answer {
    let mut asked = Asked::parse(call.query()?)?;
    asked.as_table |= media::is_wanted(media::CSV, call.headers());
    let (most, fallback, bytes) = match asked.as_table {
        true => (ROWS_MAX, ROWS, TABLE_BYTES_MAX),
        false => (PAGE_SIZE_MAX, PAGE_SIZE, PAGE_BYTES_MAX),
    };
    let limit = asked.page_size.unwrap_or(fallback);
    if limit > most {
        return Err(ApiError::invalid(format!("page_size must be a number from 1 to {most}")));
    }
    // What is read, and what is written of it.
    let charge = call.charge(2 * bytes)?;
    call.app.mall.show_records().await?;
    let (mall, format) = (call.app.mall.clone(), call.format);
    let write = move || {
        let answer = write(&mall, &asked, limit as usize, bytes, format);
        drop(charge);
        answer
    };
    call.lanes().lists.run(write).await
}

fn write(mall: &Mall, asked: &Asked, limit: usize, bytes: usize, format: Format) -> Answer {
    let mut left = bytes;
    let found = mall.find_records(&asked.filter, asked.before, limit, |record| {
        let bytes = ROW_BYTES + record.change.note.len();
        let fits = bytes <= left;
        left = left.saturating_sub(bytes);
        fits
    })?;
    let StockRecords { records, next_before } = &found;
    let records = records.iter().map(RecordWire::of);
    let next_before = next_before.map(RecordPlace::stock_id);
    if asked.as_table {
        let mut table = format!("{COLUMNS}\r\n");
        for record in records {
            table.push_str(&record.fields().join(","));
            table.push_str("\r\n");
        }
        return Ok(csv::answer(table, next_before));
    }
    Ok(success(format, &RecordsWire { records: records.collect(), next_before }, mall.now_ms()))
}

/// The id of a product or an operator.
fn id(name: &str, value: String) -> Result<String, ApiError> {
    match User::new(&value) {
        Ok(_) => Ok(value),
        Err(error) => Err(ApiError::invalid(format!("{name}: {error}"))),
    }
}

/// The name of a location; nothing for what is sold from.
fn location(value: String) -> Result<Option<String>, ApiError> {
    match value.as_str() {
        "" => Ok(None),
        name if is_location(name) => Ok(Some(value)),
        _ => Err(ApiError::invalid(format!(
            "location must be nothing, or 1 to {LOCATION_CHARS_MAX} of the characters A-Z a-z 0-9 _ - ."
        ))),
    }
}
