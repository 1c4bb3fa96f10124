//! One order: where it stands, what happened, and what may be done with it.

use maud::{Markup, html};
use serde_json::Map;

use super::exchange::{delivery_fields, fill_in};
use crate::base::TimeMs;
use crate::http::api::order::order_in;
use crate::http::error::ApiError;
use crate::http::pages::form::Fields;
use crate::http::pages::go::see_other;
use crate::http::pages::number::number;
use crate::http::pages::page::UserPage;
use crate::http::pages::time;
use crate::http::reply::Answer;
use crate::mall::{Order, OrderStatus, order_no};

pub(in crate::http::pages) async fn get(page: &UserPage<'_, 1>) -> Answer {
    let [order] = page.call.path;
    let order = page.mall().order(page.user(), order_in(order)?).await?;
    Ok(page.show(&order.details.product.name, &content(page, &order)))
}

fn content(page: &UserPage<'_, 1>, order: &Order) -> Markup {
    let (words, mall) = (page.words, page.mall());
    let details = &order.details;
    let is_pending = order.status == OrderStatus::Pending;
    let may_cancel = matches!(order.status, OrderStatus::Pending | OrderStatus::Confirmed);
    let [path] = page.call.path;
    let path = format!("/orders/{path}");
    html! {
        dl {
            dt { (words.order_no) } dd { (order_no(order.reservation)) }
            dt { (words.status) } dd #state data-state=(order.status.name()) { strong { (words.of_status(order.status)) } }
            dt { (words.quantity) } dd { (number(details.quantity)) }
            dt { (words.cost) } dd { (number(details.points_cost)) " " (words.points_unit) }
            @for item in &details.items {
                dt { (item.product.name) } dd { (number(item.quantity)) }
            }
            @if is_pending { dt { (words.deadline) } dd { (time::deadline(mall, order.expires_at)) } }
            @if let Some(number) = &order.fulfilment.tracking_no { dt { (words.tracking) } dd { (number) } }
            @if order.returned_points > 0 {
                dt { (words.returned) } dd { (number(order.returned_points)) " " (words.points_unit) }
            }
        }
        @if may_cancel {
            form method="post" action=(path) .panel data-once {
                @if is_pending { button .main name="do" value="confirm" { (words.confirm_order) } " " }
                button name="do" value="cancel" { (words.cancel_order) }
            }
        }
        @if order.status.may_be_redirected() {
            form method="post" action=(path) .panel data-once {
                input type="hidden" name="key" value=(page.new_key());
                fieldset {
                    legend { (words.delivery) }
                    (delivery_fields(words, order.delivery_info().unwrap_or(&Map::new())))
                }
                button name="do" value="delivery" { (words.save_delivery) }
            }
        }
        section {
            h2 { (words.timeline) }
            ol .timeline {
                @for (what, at) in events(page, order) { li { (what) " " span .quiet { (time::told(mall, at)) } } }
            }
        }
    }
}

/// What happened and when, in its order.
fn events(page: &UserPage<'_, 1>, order: &Order) -> Vec<(&'static str, TimeMs)> {
    let (words, sent) = (page.words, &order.fulfilment);
    let gone = match order.status {
        OrderStatus::Expired => words.expired,
        _ => words.cancelled,
    };
    let all = [
        (words.ordered, Some(order.created_at)),
        (words.confirmed, order.exchanged_at),
        (words.shipped, sent.shipped_at),
        (words.delivered, sent.delivered_at),
        (words.completed, sent.completed_at),
        (gone, order.cancelled_at),
    ];
    let mut events: Vec<_> = all.into_iter().filter_map(|(what, at)| Some((what, at?))).collect();
    events.sort_by_key(|(_, at)| *at);
    events
}

/// To confirm or cancel twice comes to the same.
pub(in crate::http::pages) async fn post(page: &UserPage<'_, 1>, fields: &Fields) -> Answer {
    let [path] = page.call.path;
    let (order, mall) = (order_in(path)?, page.mall());
    match fields.must("do")? {
        "confirm" => drop(mall.confirm(page.user(), order, None).await?),
        "cancel" => drop(mall.cancel(page.user(), order, None).await?),
        "delivery" => {
            let key = fields.key(&page.call)?;
            let kept = mall.order(page.user(), order).await?;
            // What else was said of it, by whoever made it, stays.
            let mut info = kept.delivery_info().cloned().unwrap_or_default();
            fill_in(&mut info, fields)?;
            mall.redirect(page.user(), order, info, Some(key)).await?;
        }
        _ => return Err(ApiError::invalid("do is confirm, cancel or delivery")),
    }
    see_other(&format!("/orders/{path}"))
}
