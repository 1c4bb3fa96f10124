//! Everybody's orders, filtered, newest first.

use maud::{Markup, html};

use super::nav;
use crate::base::error::Result;
use crate::http::api::orders::{Sight, Wanted};
use crate::http::error::ApiError;
use crate::http::pages::form::Asked;
use crate::http::pages::go::link;
use crate::http::pages::number::number;
use crate::http::pages::page::Desk;
use crate::http::pages::time;
use crate::http::reply::Answer;
use crate::mall::{OrderStatus, Orders, order_id, order_no};

const PAGE_SIZE: usize = 50;

pub(in crate::http::pages) async fn get(page: &Desk<'_>, asked: &Asked) -> Answer {
    let wanted = Wanted::parse(asked.pairs(), Sight::All)?;
    let found = wanted.find(&page.call, Sight::All, PAGE_SIZE).await?;
    Ok(page.show(page.words.all_orders, &content(page, asked, &found)?))
}

fn content(page: &Desk<'_>, asked: &Asked, found: &Orders) -> Result<Markup, ApiError> {
    let (words, mall) = (page.words, page.mall());
    let [status, user, number_of] = ["status", "user_id", "order_no"].map(|name| asked.get(name));
    let more = |before| {
        let query =
            [("status", status), ("user_id", user), ("order_no", number_of), ("before", before)];
        link("/console/orders", &query)
    };
    let orders = found.iter().collect::<Result<Vec<_>>>()?;
    Ok(html! {
        (nav(page))
        form .search action="/console/orders" {
            label .unseen for="status" { (words.status) }
            select #status name="status" {
                option value="" { (words.all) }
                @for one in OrderStatus::ALL {
                    option value=(one.name()) selected[status == one.name()] { (words.of_status(*one)) }
                }
            }
            label .unseen for="user" { (words.user) }
            input #user name="user_id" value=(user) placeholder=(words.user);
            label .unseen for="number" { (words.order_no) }
            input #number name="order_no" value=(number_of) placeholder=(words.order_no);
            button { (words.search) }
        }
        @if orders.is_empty() { p { (words.nothing_here) } } @else {
            div .wide tabindex="0" role="region" aria-label=(words.all_orders) {
                table {
                    thead { tr {
                        th scope="col" { (words.order_no) } th scope="col" { (words.status) } th scope="col" { (words.user) }
                        th scope="col" { (words.products) } th scope="col" .number { (words.quantity) }
                        th scope="col" .number { (words.points_unit) } th scope="col" { (words.when) }
                    } }
                    tbody {
                        @for order in &orders {
                            tr {
                                td { a href={ "/console/orders/" (order_id(order.reservation)) } { (order_no(order.reservation)) } }
                                td { (words.of_status(order.status)) }
                                td { a href={ "/console/users?user_id=" (order.details.user) } { (order.details.user) } }
                                td { (order.details.product.name) }
                                td .number { (number(order.details.quantity)) }
                                td .number { (number(order.details.points_cost)) }
                                td { (time::told(mall, order.created_at)) }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(before) = found.next_before() {
            p { a .button rel="next" href=(more(&order_id(before))) { (words.more) } }
        }
    })
}
