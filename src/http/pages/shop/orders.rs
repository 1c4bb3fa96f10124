//! The orders of who looks, newest first.

use maud::{Markup, html};

use crate::base::error::Result;
use crate::http::api::orders::{Sight, Wanted};
use crate::http::error::ApiError;
use crate::http::pages::form::Asked;
use crate::http::pages::number::number;
use crate::http::pages::page::UserPage;
use crate::http::pages::time;
use crate::http::reply::Answer;
use crate::mall::{Orders, order_id, order_no};

const PAGE_SIZE: usize = 20;

pub(in crate::http::pages) async fn get(page: &UserPage<'_>, asked: &Asked) -> Answer {
    let before = asked.only("before")?.map(|before| ("before".to_owned(), before));
    let wanted = Wanted::parse(before.into_iter().collect(), Sight::Own)?;
    let found = wanted.find(&page.call, Sight::Own, PAGE_SIZE).await?;
    Ok(page.show(page.words.orders, &content(page, &found)?))
}

fn content(page: &UserPage<'_>, found: &Orders) -> Result<Markup, ApiError> {
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
