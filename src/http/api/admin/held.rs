//! What waiting orders hold, as operators see it, and what is held and should not be.

use serde::Serialize;

use crate::base::{ReservationId, TimeMs};
use crate::http::call::OperatorCall;
use crate::http::error::ApiError;
use crate::http::query;
use crate::http::reply::{Answer, success};
use crate::mall::{AGES_MS, Held, Holder, HolderPlace, Tally, Waiting, order_id, parse_order_id};

const PAGE_SIZE: u64 = 20;
const PAGE_SIZE_MAX: u64 = 100;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TallyWire {
    reservations: u64,
    units: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AgeWire {
    from_ms: u64,
    /// Younger than that; null for whatever is older.
    to_ms: Option<u64>,
    #[serde(flatten)]
    tally: TallyWire,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProductWire<'a> {
    product_id: &'a str,
    #[serde(flatten)]
    tally: TallyWire,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemWire<'a> {
    product_id: &'a str,
    quantity: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WaitingWire<'a> {
    order_id: String,
    user_id: Option<&'a str>,
    created_at: TimeMs,
    expires_at: TimeMs,
    age_ms: u64,
    items: Vec<ItemWire<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HeldWire<'a> {
    #[serde(flatten)]
    total: TallyWire,
    ages: Vec<AgeWire>,
    /// The products of which most is held.
    products: Vec<ProductWire<'a>>,
    /// How many products are held in all.
    product_count: usize,
    /// The oldest first.
    oldest: Vec<WaitingWire<'a>>,
    /// Ask with `after` set to this for the next page; null at the end.
    next_after: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HolderWire<'a> {
    product_id: &'a str,
    user_id: Option<&'a str>,
    #[serde(flatten)]
    tally: TallyWire,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HoldersWire<'a> {
    holders: Vec<HolderWire<'a>>,
    next_after: Option<String>,
}

impl TallyWire {
    fn of(tally: Tally) -> Self {
        let Tally { reservations, units } = tally;
        Self { reservations, units }
    }
}

impl<'a> WaitingWire<'a> {
    fn of(waiting: &'a Waiting, now_ms: TimeMs) -> Self {
        let item = |(product_id, quantity): &'a (String, u64)| ItemWire {
            product_id,
            quantity: *quantity,
        };
        Self {
            order_id: order_id(waiting.reservation),
            user_id: waiting.user_id.as_deref(),
            created_at: waiting.made_at,
            expires_at: waiting.expires_at,
            age_ms: now_ms.saturating_sub(waiting.made_at),
            items: waiting.items.iter().map(item).collect(),
        }
    }
}

impl<'a> HeldWire<'a> {
    fn of(held: &'a Held) -> Self {
        let starts = std::iter::once(0).chain(AGES_MS);
        let ends = AGES_MS.into_iter().map(Some).chain([None]);
        let ages = starts.zip(ends).zip(held.ages).map(|((from_ms, to_ms), tally)| AgeWire {
            from_ms,
            to_ms,
            tally: TallyWire::of(tally),
        });
        let product = |(product_id, tally): &'a (String, Tally)| ProductWire {
            product_id,
            tally: TallyWire::of(*tally),
        };
        let waiting = held.oldest.iter().map(|it| WaitingWire::of(it, held.now_ms));
        Self {
            total: TallyWire::of(held.total),
            ages: ages.collect(),
            products: held.products.iter().map(product).collect(),
            product_count: held.product_count,
            oldest: waiting.collect(),
            next_after: held.next_after.map(order_id),
        }
    }
}

/// How old reservations are, and the oldest of them. It is found beside the threads that sell.
pub(in crate::http) async fn reservations(call: OperatorCall<'_>) -> Answer {
    let (mut product, mut after, mut limit) = (None, None, PAGE_SIZE);
    for (name, value) in call.query()? {
        match name.as_str() {
            "product_id" => product = Some(query::short(&name, value)?),
            "after" => after = Some(order(&name, &value)?),
            "page_size" => limit = query::number(&name, &value, 1..=PAGE_SIZE_MAX)?,
            _ => return Err(query::unknown(&name)),
        }
    }
    let (mall, format) = (call.app.mall.clone(), call.format);
    let look = move || {
        let held = mall.held(product.as_deref(), after, limit as usize)?;
        Ok(success(format, &HeldWire::of(&held), mall.now_ms()))
    };
    call.lanes().lists.run(look).await
}

/// Who holds how much of what.
pub(in crate::http) async fn holders(call: OperatorCall<'_>) -> Answer {
    let (mut product, mut after, mut limit) = (None, None, PAGE_SIZE);
    for (name, value) in call.query()? {
        match name.as_str() {
            "product_id" => product = Some(query::short(&name, value)?),
            "after" => {
                let place = HolderPlace::parse(&value);
                let wrong = || ApiError::invalid("after must be what a page before gave");
                after = Some(place.ok_or_else(wrong)?);
            }
            "page_size" => limit = query::number(&name, &value, 1..=PAGE_SIZE_MAX)?,
            _ => return Err(query::unknown(&name)),
        }
    }
    let (mall, format) = (call.app.mall.clone(), call.format);
    let look = move || {
        let (found, next) = mall.holders(product.as_deref(), after, limit as usize)?;
        let holders = found.iter().map(|it: &Holder| HolderWire {
            product_id: &it.product_id,
            user_id: it.user_id.as_deref(),
            tally: TallyWire::of(it.tally),
        });
        let next_after = next.map(|place| place.to_string());
        let page = HoldersWire { holders: holders.collect(), next_after };
        Ok(success(format, &page, mall.now_ms()))
    };
    call.lanes().lists.run(look).await
}

pub(super) fn order(name: &str, value: &str) -> Result<ReservationId, ApiError> {
    let order = parse_order_id(value);
    order.ok_or_else(|| ApiError::invalid(format!("{name} must be an order's id or number")))
}
