//! Anybody's orders, as operators see and carry them on.

use serde::{Deserialize, Serialize};

use crate::base::{ReservationId, TimeMs};
use crate::http::api::order::{OrderWire, ReceiptWire, RedirectBody, RedirectedWire, order_in};
use crate::http::api::orders::{self, Sight};
use crate::http::body::{Empty, Sent};
use crate::http::call::OperatorCall;
use crate::http::decimal::Whole;
use crate::http::error::ApiError;
use crate::http::reply::Answer;
use crate::http::text::text;
use crate::mall::facts::OrderFact;
use crate::mall::{
    Because, GiveBack, GivenBack, ORDER_QUANTITY_MAX, Order, REASON_CHARS_MAX, order_id, order_no,
};

/// As the mall's own table has them.
pub(in crate::http) const TRACKING_NO_CHARS_MAX: usize = 100;
pub(in crate::http) const CARRIER_CHARS_MAX: usize = 64;
const REMARK_CHARS_MAX: usize = 500;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct ShipBody {
    tracking_no: String,
    carrier: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct CancelBody {
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct RefundBody {
    reason: String,
    /// Of which product of a basket.
    product_id: Option<String>,
    /// How many units; all that is left when it is not said.
    quantity: Option<Whole<u64>>,
    /// Whether they can be sold again; true when it is not said.
    restock: Option<bool>,
    /// Also an order that is completed.
    even_completed: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct RemarkBody {
    text: String,
}

/// The answer to whoever wrote something down.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RemarkedWire<'a> {
    order_id: String,
    order_no: String,
    text: &'a str,
}

/// The answer to whoever refunds: nothing that changes afterwards.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefundedWire {
    order_id: String,
    order_no: String,
    /// How many units; null when it was all that was left.
    quantity: Option<u64>,
    /// What that was, product by product; null where history does not know the order any more.
    items: Option<Vec<RefundedItemWire>>,
    /// Whether nothing is left of the order.
    is_over: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefundedItemWire {
    product_id: String,
    quantity: u64,
}

impl RefundedItemWire {
    fn of((product_id, quantity): (String, u64)) -> Self {
        Self { product_id, quantity }
    }
}

/// An order as operators see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WholeOrderWire<'a> {
    user_id: &'a str,
    /// Which service made it in the user's name, if one did.
    service: Option<&'a str>,
    #[serde(flatten)]
    order: OrderWire<'a>,
    /// What is on record beside its exchange, oldest first.
    records: Vec<RecordWire<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordWire<'a> {
    kind: &'static str,
    /// Which operator or service; null for a user, and for what happened by itself.
    operator: Option<&'a str>,
    reason: Option<&'a str>,
    /// How many units it is about, where it is not about all.
    quantity: Option<u64>,
    /// Of which product of a basket.
    #[serde(skip_serializing_if = "Option::is_none")]
    product_id: Option<&'a str>,
    at: TimeMs,
}

impl<'a> WholeOrderWire<'a> {
    fn of(order: &'a Order) -> Self {
        let record = |(at, fact): &'a (TimeMs, OrderFact)| RecordWire {
            kind: fact.name(),
            operator: fact.operator(),
            reason: fact.reason(),
            quantity: fact.quantity(),
            product_id: fact.product_id(),
            at: *at,
        };
        Self {
            user_id: &order.details.user,
            service: order.details.service.as_deref(),
            order: OrderWire::of(order),
            records: order.facts.iter().map(record).collect(),
        }
    }
}

pub(in crate::http) async fn list(call: OperatorCall<'_>) -> Answer {
    orders::list(&call, Sight::All).await
}

pub(in crate::http) async fn get(call: OperatorCall<'_, 1>) -> Answer {
    call.no_query()?;
    let order = call.app.mall.any_order(order_of_path(&call)?).await?;
    Ok(call.success(&WholeOrderWire::of(&order)))
}

pub(in crate::http) async fn ship(call: OperatorCall<'_, 1>, body: Sent<ShipBody>) -> Answer {
    call.no_query()?;
    let order = order_of_path(&call)?;
    let (request, key) = body.read(&call).await?;
    let tracking_no = text("trackingNo", &request.tracking_no, 1..=TRACKING_NO_CHARS_MAX)?;
    let carrier = request.carrier.as_deref();
    let carrier = carrier.map(|it| text("carrier", it, 1..=CARRIER_CHARS_MAX)).transpose()?;
    let fact = OrderFact::Shipped {
        operator: operator(&call),
        tracking_no: tracking_no.to_owned(),
        carrier: carrier.map(str::to_owned),
    };
    let receipt = call.app.mall.advance(order, &fact, key).await?;
    Ok(call.success(&ReceiptWire::of(&receipt)))
}

pub(in crate::http) async fn deliver(call: OperatorCall<'_, 1>, body: Empty) -> Answer {
    call.no_query()?;
    let order = order_of_path(&call)?;
    let key = body.read_keyed(&call).await?;
    let fact = OrderFact::Delivered { operator: operator(&call) };
    let receipt = call.app.mall.advance(order, &fact, key).await?;
    Ok(call.success(&ReceiptWire::of(&receipt)))
}

pub(in crate::http) async fn complete(call: OperatorCall<'_, 1>, body: Empty) -> Answer {
    call.no_query()?;
    let order = order_of_path(&call)?;
    let key = body.read_keyed(&call).await?;
    let fact = OrderFact::Completed { operator: Some(operator(&call)) };
    let receipt = call.app.mall.advance(order, &fact, key).await?;
    Ok(call.success(&ReceiptWire::of(&receipt)))
}

pub(in crate::http) async fn cancel(call: OperatorCall<'_, 1>, body: Sent<CancelBody>) -> Answer {
    call.no_query()?;
    let order = order_of_path(&call)?;
    let (request, key) = body.read(&call).await?;
    let because = because(&call, &request.reason)?;
    let receipt = call.app.mall.recall(order, &because, key).await?;
    Ok(call.success(&ReceiptWire::of(&receipt)))
}

pub(in crate::http) async fn refund(call: OperatorCall<'_, 1>, body: Sent<RefundBody>) -> Answer {
    call.no_query()?;
    let order = order_of_path(&call)?;
    let (request, key) = body.read(&call).await?;
    let because = because(&call, &request.reason)?;
    let quantity = request.quantity.map(|quantity| quantity.0);
    if quantity.is_some_and(|quantity| !(1..=ORDER_QUANTITY_MAX).contains(&quantity)) {
        return Err(ApiError::invalid(format!("quantity must be 1 to {ORDER_QUANTITY_MAX}")));
    }
    if request.product_id.is_some() && quantity.is_none() {
        return Err(ApiError::invalid("quantity must say how many units of productId go back"));
    }
    let what = GiveBack {
        quantity,
        product_id: request.product_id.as_deref(),
        restock: request.restock.unwrap_or(true),
        even_completed: request.even_completed.unwrap_or_default(),
    };
    let GivenBack { is_over, items } = call.app.mall.refund(order, &because, what, key).await?;
    Ok(call.success(&RefundedWire {
        order_id: order_id(order),
        order_no: order_no(order),
        quantity,
        items: items.map(|items| items.into_iter().map(RefundedItemWire::of).collect()),
        is_over,
    }))
}

pub(in crate::http) async fn redirect(
    call: OperatorCall<'_, 1>,
    body: Sent<RedirectBody>,
) -> Answer {
    call.no_query()?;
    let order = order_of_path(&call)?;
    let (request, key) = body.read(&call).await?;
    let (operator, info) = (call.identity().user.id(), request.delivery_info.0);
    call.app.mall.redirect_for(operator, order, info.clone(), key).await?;
    Ok(call.success(&RedirectedWire::of(order, &info)))
}

pub(in crate::http) async fn remark(call: OperatorCall<'_, 1>, body: Sent<RemarkBody>) -> Answer {
    call.no_query()?;
    let order = order_of_path(&call)?;
    let (request, key) = body.read(&call).await?;
    let text = text("text", &request.text, 1..=REMARK_CHARS_MAX)?;
    let fact = OrderFact::Remarked { operator: operator(&call), text: text.to_owned() };
    call.app.mall.record(order, None, &fact, key).await?;
    let (order_id, order_no) = (order_id(order), order_no(order));
    Ok(call.success(&RemarkedWire { order_id, order_no, text }))
}

fn operator(call: &OperatorCall<'_, 1>) -> String {
    call.identity().user.id().to_owned()
}

fn because<'a>(call: &'a OperatorCall<'_, 1>, reason: &'a str) -> Result<Because<'a>, ApiError> {
    let reason = text("reason", reason, 1..=REASON_CHARS_MAX)?;
    Ok(Because { operator: call.identity().user.id(), reason })
}

fn order_of_path(call: &OperatorCall<'_, 1>) -> Result<ReservationId, ApiError> {
    let [order] = call.path;
    order_in(order)
}
