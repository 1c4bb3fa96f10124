//! Lists of orders, for their users and for operators: what they are filtered by, and how they are
//! written. They are found and written beside the threads that sell, and what is read counts as
//! memory of the caller.

use std::cell::Cell;

use serde::ser::{Error as _, SerializeSeq};
use serde::{Serialize, Serializer};

use super::csv;
use super::order::OrderWire;
use crate::base::error::{Error, Result};
use crate::base::{QUANTITY_MAX, ReservationId, TimeMs};
use crate::http::call::{Call, Known};
use crate::http::error::ApiError;
use crate::http::format::Format;
use crate::http::reply::{Answer, success};
use crate::http::{media, query};
use crate::mall::{
    Mall, ORDER_BYTES_MAX, Order, OrderFilter, OrderStatus, Orders, User, numbered, order_id,
    parse_order_id,
};

const PAGE_SIZE: u64 = 20;
const PAGE_SIZE_MAX: u64 = 100;
/// How many orders a table has at most, and how many bytes of what they keep.
const ROWS: u64 = 1_000;
const ROWS_MAX: u64 = 10_000;
const TABLE_BYTES_MAX: usize = 4 << 20;
/// About what an order takes in a table beside what anybody may send with it, in bytes.
const ROW_BYTES: usize = 512;

/// Who asks for a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Sight {
    /// A user, for its own.
    Own,
    /// An operator, for everybody's.
    All,
}

/// Which orders are looked for, and where the list goes on.
#[derive(Debug, Default)]
pub(in crate::http) struct Wanted {
    pub(in crate::http) filter: OrderFilter,
    before: Option<ReservationId>,
}

/// What is asked for.
#[derive(Debug, Default)]
struct Asked {
    wanted: Wanted,
    page_size: Option<u64>,
    as_table: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrdersWire<'a> {
    orders: OneByOne<'a>,
    /// Ask with `before` set to this for the next page; null at the end.
    next_before: Option<String>,
}

/// Orders that are read out as they are written, so that one at a time is in memory.
struct OneByOne<'a> {
    orders: &'a Orders,
    sight: Sight,
    /// Why one could not be read.
    failed: &'a Cell<Option<Error>>,
}

/// An order in a list of everybody's.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfUserWire<'a> {
    user_id: &'a str,
    #[serde(flatten)]
    order: OrderWire<'a>,
}

impl Serialize for OneByOne<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.orders.len()))?;
        for order in self.orders.iter() {
            let order = order.map_err(|error| {
                let told = S::Error::custom(&error);
                self.failed.set(Some(error));
                told
            })?;
            match self.sight {
                Sight::Own => list.serialize_element(&OrderWire::of(&order))?,
                Sight::All => list.serialize_element(&OfUserWire::of(&order))?,
            }
        }
        list.end()
    }
}

impl<'a> OfUserWire<'a> {
    fn of(order: &'a Order) -> Self {
        Self { user_id: &order.details.user, order: OrderWire::of(order) }
    }
}

/// Newest first.
pub(in crate::http) async fn list<Who: Known>(call: &Call<'_, Who>, sight: Sight) -> Answer {
    let mut asked = parse(call.query()?, sight)?;
    asked.as_table |= media::is_wanted(media::CSV, call.headers());
    asked.wanted.see(call, sight)?;
    let most = if asked.as_table { ROWS_MAX } else { PAGE_SIZE_MAX };
    let fallback = if asked.as_table { ROWS } else { PAGE_SIZE };
    let limit = asked.page_size.unwrap_or(fallback);
    if limit > most {
        return Err(ApiError::invalid(format!("page_size must be a number from 1 to {most}")));
    }
    let limit = limit as usize;
    let bytes = if asked.as_table {
        // What is read, and what is written of it.
        2 * TABLE_BYTES_MAX + ORDER_BYTES_MAX
    } else {
        (limit + 1) * ORDER_BYTES_MAX
    };
    let charge = call.charge(bytes)?;
    call.app.mall.show_orders().await?;
    let (mall, format) = (call.app.mall.clone(), call.format);
    let write = move || {
        let answer = write(&mall, &asked, limit, sight, format);
        drop(charge);
        answer
    };
    call.lanes().lists.run(write).await
}

fn write(mall: &Mall, asked: &Asked, limit: usize, sight: Sight, format: Format) -> Answer {
    let Asked { wanted: Wanted { filter, before }, as_table, .. } = asked;
    let mut left = TABLE_BYTES_MAX;
    let orders = mall.find_orders(filter, *before, limit, |record| {
        if !as_table {
            return true;
        }
        let notes = record.notes.iter().map(|note| note.body.len());
        let bytes = ROW_BYTES + record.details.len() + notes.sum::<usize>();
        let fits = bytes <= left;
        left = left.saturating_sub(bytes);
        fits
    })?;
    if *as_table {
        return csv::orders(&orders);
    }
    let next_before = orders.next_before().map(order_id);
    let failed = Cell::new(None);
    let page =
        OrdersWire { orders: OneByOne { orders: &orders, sight, failed: &failed }, next_before };
    let answer = success(format, &page, mall.now_ms());
    match failed.into_inner() {
        Some(error) => Err(error.into()),
        None => Ok(answer),
    }
}

fn parse(query: Vec<(String, String)>, sight: Sight) -> Result<Asked, ApiError> {
    let mut asked = Asked::default();
    for (name, value) in query {
        match name.as_str() {
            "page_size" => asked.page_size = Some(query::number(&name, &value, 1..=ROWS_MAX)?),
            "format" => asked.as_table = csv::is_named(&value)?,
            _ => asked.wanted.take(&name, value, sight)?,
        }
    }
    Ok(asked)
}

impl Wanted {
    /// What a query says that is nothing but a filter and a place.
    ///
    /// # Errors
    /// INVALID_REQUEST when it says anything else.
    pub(in crate::http) fn parse(
        query: Vec<(String, String)>,
        sight: Sight,
    ) -> Result<Self, ApiError> {
        let mut wanted = Self::default();
        for (name, value) in query {
            wanted.take(&name, value, sight)?;
        }
        Ok(wanted)
    }

    fn take(&mut self, name: &str, value: String, sight: Sight) -> Result<(), ApiError> {
        let filter = &mut self.filter;
        match name {
            "before" => {
                let order = parse_order_id(&value)
                    .ok_or_else(|| ApiError::invalid("before must be an order's id or number"))?;
                self.before = Some(order);
            }
            "status" => filter.statuses = statuses(&value)?,
            "product_id" => filter.product = Some(id(name, value)?),
            "user_id" if sight == Sight::All => filter.user = Some(user(name, &value)?),
            "from" => filter.from = Some(time(name, &value)?),
            "to" => filter.to = Some(time(name, &value)?),
            "order_no" => {
                let numbers = numbered(&value).ok_or_else(|| {
                    ApiError::invalid("order_no must be an order's number, or how one begins")
                })?;
                filter.numbers = Some(numbers);
            }
            _ => return Err(query::unknown(name)),
        }
        Ok(())
    }

    /// Users see their own, and nothing that was refused.
    fn see<Who: Known, const N: usize>(
        &mut self,
        call: &Call<'_, Who, N>,
        sight: Sight,
    ) -> Result<()> {
        match sight {
            Sight::Own => {
                self.filter.user = Some(User::new(call.identity().user.id())?);
                self.filter.without_refused = true;
            }
            Sight::All => {}
        }
        Ok(())
    }

    /// The newest of them, for a page that shows so many.
    pub(in crate::http) async fn find<Who: Known>(
        mut self,
        call: &Call<'_, Who>,
        sight: Sight,
        limit: usize,
    ) -> Result<Orders, ApiError> {
        self.see(call, sight)?;
        let charge = call.charge((limit + 1) * ORDER_BYTES_MAX)?;
        let mall = call.app.mall.clone();
        mall.show_orders().await?;
        let find = move || {
            let found = mall.find_orders(&self.filter, self.before, limit, |_| true);
            drop(charge);
            found.map_err(ApiError::from)
        };
        call.lanes().lists.run(find).await
    }
}

/// The statuses with a number of the mall's document, or the one with a name.
fn statuses(value: &str) -> Result<Vec<OrderStatus>, ApiError> {
    let is_meant =
        |status: &OrderStatus| status.name() == value || status.number().to_string() == value;
    let found: Vec<_> = OrderStatus::ALL.iter().copied().filter(is_meant).collect();
    if found.is_empty() {
        return Err(ApiError::invalid("status must be a number from -1 to 3, or a state's name"));
    }
    Ok(found)
}

fn time(name: &str, value: &str) -> Result<TimeMs, ApiError> {
    query::number(name, value, 0..=QUANTITY_MAX)
}

fn user(name: &str, value: &str) -> Result<User, ApiError> {
    User::new(value).map_err(|error| ApiError::invalid(format!("{name}: {error}")))
}

/// The id of a product, which is bounded as that of a user is.
fn id(name: &str, value: String) -> Result<String, ApiError> {
    user(name, &value).map(|_| value)
}
