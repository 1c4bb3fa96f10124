//! The orders of who looks, newest first.

use maud::{Markup, html};

use crate::base::error::Result;
use crate::http::error::ApiError;
use crate::http::pages::page::{Page, number};
use crate::http::pages::time;
use crate::http::reply::Answer;
use crate::mall::{ORDER_BYTES_MAX, OrderFilter, Orders, User, order_id, order_no, parse_order_id};

const PAGE_SIZE: usize = 20;

pub(in crate::http::pages) async fn get(page: &Page<'_>) -> Answer {
    let before = page.only("before")?;
    let before = before.as_deref().map(|text| {
        parse_order_id(text).ok_or_else(|| ApiError::invalid("before must be an order's id"))
    });
    let (before, visit) = (before.transpose()?, page.visit()?);
    let filter = OrderFilter {
        user: Some(User::new(visit.user.id())?),
        without_refused: true,
        ..OrderFilter::default()
    };
    let charge = visit.call.charge((PAGE_SIZE + 1) * ORDER_BYTES_MAX)?;
    let mall = page.mall().clone();
    mall.show_orders().await?;
    let find = move || {
        let found = mall.find_orders(&filter, before, PAGE_SIZE, |_| true).map_err(ApiError::from);
        drop(charge);
        found
    };
    let found = page.lanes().lists.run(find).await?;
    Ok(page.show(page.words.orders, &content(page, &found)?))
}

fn content(page: &Page<'_>, found: &Orders) -> Result<Markup, ApiError> {
    let words = page.words;
    let orders = found.iter().collect::<Result<Vec<_>>>()?;
    Ok(html! {
        @if orders.is_empty() { p { (words.nothing_here) } }
        ul .orders {
            @for order in &orders {
                li .panel {
                    a href={ "/orders/" (order_id(order.reservation)) } {
                        (order.details.product.name) " × " (number(order.details.quantity))
                    }
                    p { strong { (words.of_status(order.status)) } " · "
                        (number(order.details.points_cost)) " " (words.points_unit) }
                    p .quiet { (order_no(order.reservation)) " · " (time::told(page.mall(), order.created_at)) }
                }
            }
        }
        @if let Some(before) = found.next_before() {
            p { a .button rel="next" href={ "/orders?before=" (order_id(before)) } { (words.more) } }
        }
    })
}
