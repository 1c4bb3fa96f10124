//! Many orders at once, by a table: each row is done on its own, and what became of it is said.
//!
//! A row has a key of its own, made of the form's key and of what it is about. So a table that is sent
//! again changes nothing, and one that was corrected does what is left of it.

use hyper::body::Bytes;
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::{nav, sheet_field};
use crate::base::error::Result;
use crate::base::{IdempotencyKey, ReservationId};
use crate::http::api::admin::orders::{CARRIER_CHARS_MAX, TRACKING_NO_CHARS_MAX};
use crate::http::api::order::order_in;
use crate::http::error::{ApiError, Code};
use crate::http::pages::form::Fields;
use crate::http::pages::number::number;
use crate::http::pages::page::Desk;
use crate::http::reply::Answer;
use crate::http::sheet::{Cell, Columns, rows};
use crate::http::text::text;
use crate::mall::facts::OrderFact;
use crate::mall::{OrderStatus, order_id, order_no};

const COLUMNS: Columns = &[
    ("order", Cell::Text),
    ("do", Cell::Text),
    ("trackingNo", Cell::Text),
    ("carrier", Cell::Text),
];
/// An example of a table.
const HEAD: &str = "order,do,trackingNo,carrier\n";
/// How many rows a table has at most. Each waits for the disk.
const ROWS_MAX: usize = 500;

/// What a row asks for.
struct Row {
    order: ReservationId,
    /// As it is spelled in the table.
    what: String,
    fact: OrderFact,
}

/// What became of a row.
struct Told {
    line: u64,
    row: Option<(ReservationId, String)>,
    outcome: Result<OrderStatus, ApiError>,
}

pub(in crate::http::pages) async fn get(page: &Desk<'_>) -> Answer {
    Ok(page.show(page.words.many_orders, &content(page, &page.new_key(), HEAD, &html! {})))
}

fn content(page: &Desk<'_>, key: &str, sent: &str, told: &Markup) -> Markup {
    let words = page.words;
    html! {
        (nav(page))
        (told)
        form method="post" action="/console/dispatch" .panel data-once {
            input type="hidden" name="key" value=(key);
            p .quiet { (words.dispatch_hint) }
            (sheet_field(words, sent))
            button .main { (words.carry_out) }
        }
    }
}

pub(in crate::http::pages) async fn post(page: &Desk<'_>, fields: &Fields) -> Answer {
    let (key, sent) = (fields.must("key")?, fields.must("rows")?);
    let lines = rows(sent.as_bytes(), COLUMNS, Ok)?;
    if !(1..=ROWS_MAX).contains(&lines.len()) {
        return Err(ApiError::invalid(format!("a table has 1 to {ROWS_MAX} rows")));
    }
    let mut told = Vec::with_capacity(lines.len());
    for (line, members) in lines {
        let row = members.map_err(ApiError::from).and_then(|it| read(page.user().id(), &it));
        told.push(match row {
            Ok(row) => {
                let outcome = carry_out(page, key, &row).await;
                Told { line, row: Some((row.order, row.what)), outcome }
            }
            Err(error) => Told { line, row: None, outcome: Err(error) },
        });
    }
    // With the same key: what was done is not done again, whatever is corrected.
    Ok(page.show(page.words.many_orders, &content(page, key, sent, &outcomes(page, &told))))
}

fn read(operator: &str, members: &Map<String, Value>) -> Result<Row, ApiError> {
    let cell = |name: &str| members.get(name).and_then(Value::as_str).map(str::trim);
    let must = |name: &str| {
        cell(name).ok_or_else(|| ApiError::invalid(format!("the cell {name} is empty")))
    };
    let (order, what) = (order_in(must("order")?)?, must("do")?);
    let operator = operator.to_owned();
    let fact = match what {
        "ship" => {
            let tracking_no = text("trackingNo", must("trackingNo")?, 1..=TRACKING_NO_CHARS_MAX)?;
            let carrier = cell("carrier").map(|it| text("carrier", it, 1..=CARRIER_CHARS_MAX));
            OrderFact::Shipped {
                operator,
                tracking_no: tracking_no.to_owned(),
                carrier: carrier.transpose()?.map(str::to_owned),
            }
        }
        "deliver" => OrderFact::Delivered { operator },
        "complete" => OrderFact::Completed { operator: Some(operator) },
        _ => return Err(ApiError::invalid("do is ship, deliver or complete")),
    };
    Ok(Row { order, what: what.to_owned(), fact })
}

async fn carry_out(page: &Desk<'_>, key: &str, row: &Row) -> Result<OrderStatus, ApiError> {
    let key = key_of(page, key, row)?;
    Ok(page.mall().advance(row.order, &row.fact, Some(key)).await?.status)
}

fn key_of(page: &Desk<'_>, key: &str, row: &Row) -> Result<IdempotencyKey, ApiError> {
    let key = format!("{key} {} {}", order_id(row.order), row.what);
    Ok(page.call.key_named(&key)?.with_body(&Bytes::from(row.fact.encode())))
}

/// What became of each row.
fn outcomes(page: &Desk<'_>, told: &[Told]) -> Markup {
    let words = page.words;
    let done = told.iter().filter(|it| it.outcome.is_ok()).count() as u64;
    html! {
        p role="alert" data-done=(done) {
            strong { (words.rows_done) " " (number(done)) " · " (words.rows_refused) " " (number(told.len() as u64 - done)) }
        }
        div .wide tabindex="0" role="region" aria-label=(words.outcomes) {
            table {
                thead { tr { th scope="col" .number { (words.line) } th scope="col" { (words.outcome) } th scope="col" { (words.what) } th scope="col" { (words.order_no) } } }
                tbody { @for it in told { (outcome(page, it)) } }
            }
        }
    }
}

fn outcome(page: &Desk<'_>, told: &Told) -> Markup {
    let words = page.words;
    html! {
        tr {
            td .number { (told.line) }
            td { @match &told.outcome {
                Ok(status) => { (words.of_status(*status)) }
                Err(error) => { strong .out { (why(page, error)) } @if let Some(detail) = &error.detail { " " (detail) } }
            } }
            @match &told.row {
                Some((order, what)) => {
                    td { (what) }
                    td { a href={ "/console/orders/" (order_id(*order)) } { (order_no(*order)) } }
                }
                None => { td {} td {} }
            }
        }
    }
}

/// Why a row was refused, to an operator, whose are all orders.
fn why(page: &Desk<'_>, error: &ApiError) -> &'static str {
    match error.code {
        Code::OrderNotFound => page.words.no_such_order,
        code => page.words.of_code(code),
    }
}
