//! Anybody's order: what is on record of it, and what an operator does with it.

use maud::{Markup, html};

use super::{nav, reason, reason_field};
use crate::http::api::admin::orders::TRACKING_NO_CHARS_MAX;
use crate::http::api::order::order_in;
use crate::http::error::ApiError;
use crate::http::pages::form::Fields;
use crate::http::pages::go::see_other;
use crate::http::pages::number::number;
use crate::http::pages::page::Desk;
use crate::http::pages::time;
use crate::http::query;
use crate::http::reply::Answer;
use crate::http::text::text;
use crate::mall::facts::OrderFact;
use crate::mall::{Because, GiveBack, ORDER_QUANTITY_MAX, Order, OrderStatus, order_no};

pub(in crate::http::pages) async fn get(page: &Desk<'_, 1>) -> Answer {
    let [order] = page.call.path;
    let order = page.mall().any_order(order_in(order)?).await?;
    Ok(page.show(&order_no(order.reservation), &content(page, &order)))
}

fn content(page: &Desk<'_, 1>, order: &Order) -> Markup {
    let (words, mall, details) = (page.words, page.mall(), &order.details);
    html! {
        (nav(page))
        dl {
            dt { (words.status) } dd #state data-state=(order.status.name()) { strong { (words.of_status(order.status)) } }
            dt { (words.user) } dd { a href={ "/console/users?user_id=" (details.user) } { (details.user) } }
            dt { (words.products) } dd { (details.product.name) " × " (number(details.quantity)) }
            @for item in &details.items { dt { (item.product.name) } dd { (number(item.quantity)) } }
            dt { (words.cost) } dd { (number(details.points_cost)) " " (words.points_unit) }
            @if order.returned_points > 0 { dt { (words.returned) } dd { (number(order.returned_quantity)) " · " (number(order.returned_points)) " " (words.points_unit) } }
            @if let Some(number) = &order.fulfilment.tracking_no { dt { (words.tracking) } dd { (number) } }
            @for (name, value) in order.delivery_info().into_iter().flatten() {
                dt { (name) } dd { (value.as_str().map_or_else(|| value.to_string(), str::to_owned)) }
            }
        }
        (forms(page, order))
        section {
            h2 { (words.timeline) }
            ol .timeline {
                li { (words.ordered) " " span .quiet { (time::told(mall, order.created_at)) } }
                @if let Some(at) = order.exchanged_at { li { (words.confirmed) " " span .quiet { (time::told(mall, at)) } } }
                @for (at, fact) in &order.facts {
                    li { (fact.name()) " " (fact.operator().unwrap_or_default()) " " (fact.reason().unwrap_or_default())
                        " " span .quiet { (time::told(mall, *at)) } }
                }
                @if let Some(at) = order.cancelled_at { li { (words.of_status(order.status)) " " span .quiet { (time::told(mall, at)) } } }
            }
        }
    }
}

/// What may be done with an order as it stands.
fn forms(page: &Desk<'_, 1>, order: &Order) -> Markup {
    let words = page.words;
    let [path] = page.call.path;
    let path = format!("/console/orders/{path}");
    let key = page.new_key();
    let form = |what: &str, label: &str, fields: Markup| {
        html! {
            form method="post" action=(path) .panel data-once {
                input type="hidden" name="key" value=(key);
                (fields)
                button name="do" value=(what) { (label) }
            }
        }
    };
    let is = |statuses: &[OrderStatus]| statuses.contains(&order.status);
    html! {
        @if is(&[OrderStatus::Confirmed]) {
            (form("ship", words.ship, html! { label { (words.tracking) input name="tracking" maxlength=(TRACKING_NO_CHARS_MAX) required; } }))
        }
        @if is(&[OrderStatus::Shipped]) {
            (form("deliver", words.delivered, html! {}))
            (form("complete", words.completed, html! {}))
        }
        @if is(&[OrderStatus::Pending, OrderStatus::Confirmed]) {
            (form("cancel", words.cancel_order, reason_field(words)))
        }
        @if is(&[OrderStatus::Confirmed, OrderStatus::Shipped]) {
            (form("refund", words.refund, html! {
                label { (words.refund_quantity) input type="number" name="quantity" min="1" max=(order.details.quantity); }
                label { input type="checkbox" name="restock" value="yes" checked; " " (words.restock) }
                (reason_field(words))
            }))
        }
    }
}

pub(in crate::http::pages) async fn post(page: &Desk<'_, 1>, fields: &Fields) -> Answer {
    let [path] = page.call.path;
    let (order, mall) = (order_in(path)?, page.mall());
    let key = Some(fields.key(&page.call)?);
    let operator = page.user().id().to_owned();
    let because =
        || Ok::<_, ApiError>(Because { operator: page.user().id(), reason: reason(fields)? });
    match fields.must("do")? {
        "ship" => {
            let tracking = text("tracking", fields.must("tracking")?, 1..=TRACKING_NO_CHARS_MAX)?;
            let tracking_no = tracking.to_owned();
            let fact = OrderFact::Shipped { operator, tracking_no, carrier: None };
            mall.advance(order, &fact, key).await?;
        }
        "deliver" => drop(mall.advance(order, &OrderFact::Delivered { operator }, key).await?),
        "complete" => {
            let fact = OrderFact::Completed { operator: Some(operator) };
            mall.advance(order, &fact, key).await?;
        }
        "cancel" => drop(mall.recall(order, &because()?, key).await?),
        "refund" => {
            let quantity = fields.get("quantity");
            let quantity = quantity.map(|it| query::number("quantity", it, 1..=ORDER_QUANTITY_MAX));
            let what = GiveBack {
                quantity: quantity.transpose()?,
                product_id: None,
                restock: fields.get("restock").is_some(),
                even_completed: false,
            };
            mall.refund(order, &because()?, what, key).await?;
        }
        _ => return Err(ApiError::invalid("do is ship, deliver, complete, cancel or refund")),
    }
    see_other(&format!("/console/orders/{path}"))
}
