//! Everybody's orders, filtered, newest first.

use maud::{Markup, html};

use super::nav;
use crate::base::ReservationId;
use crate::base::error::Result;
use crate::http::error::ApiError;
use crate::http::pages::page::{Page, number};
use crate::http::pages::time;
use crate::http::query;
use crate::http::reply::Answer;
use crate::mall::{
    ORDER_BYTES_MAX, OrderFilter, OrderStatus, Orders, User, numbered, order_id, order_no,
    parse_order_id,
};

const PAGE_SIZE: usize = 50;

/// What is looked for, as it was asked.
#[derive(Default)]
struct Asked {
    filter: OrderFilter,
    before: Option<ReservationId>,
    status: String,
    user: String,
    order_no: String,
}

impl Asked {
    fn parse(pairs: Vec<(String, String)>) -> Result<Self, ApiError> {
        let mut asked = Self::default();
        for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            let value = query::short(&name, value)?;
            match name.as_str() {
                "status" => {
                    let found = OrderStatus::ALL.iter().find(|it| it.name() == value);
                    let found =
                        found.ok_or_else(|| ApiError::invalid("there is no such status"))?;
                    asked.filter.statuses = vec![*found];
                    asked.status = value;
                }
                "user_id" => {
                    asked.filter.user = Some(User::new(&value)?);
                    asked.user = value;
                }
                "order_no" => {
                    let wrong =
                        || ApiError::invalid("order_no must be how an order's number begins");
                    asked.filter.numbers = Some(numbered(&value).ok_or_else(wrong)?);
                    asked.order_no = value;
                }
                "before" => {
                    let wrong = || ApiError::invalid("before must be an order's id");
                    asked.before = Some(parse_order_id(&value).ok_or_else(wrong)?);
                }
                _ => return Err(query::unknown(&name)),
            }
        }
        Ok(asked)
    }
}

pub(in crate::http::pages) async fn get(page: &Page<'_>) -> Answer {
    let mut asked = Asked::parse(page.query()?)?;
    let charge = page.desk()?.call.charge((PAGE_SIZE + 1) * ORDER_BYTES_MAX)?;
    let mall = page.mall().clone();
    mall.show_orders().await?;
    let (filter, before) = (std::mem::take(&mut asked.filter), asked.before);
    let find = move || {
        let found = mall.find_orders(&filter, before, PAGE_SIZE, |_| true).map_err(ApiError::from);
        drop(charge);
        found
    };
    let found = page.lanes().lists.run(find).await?;
    Ok(page.show(page.words.all_orders, &content(page, &asked, &found)?))
}

fn content(page: &Page<'_>, asked: &Asked, found: &Orders) -> Result<Markup, ApiError> {
    let (words, mall) = (page.words, page.mall());
    let orders = found.iter().collect::<Result<Vec<_>>>()?;
    Ok(html! {
        (nav(page))
        form .search action="/console/orders" {
            label .unseen for="status" { (words.status) }
            select #status name="status" {
                option value="" { (words.all) }
                @for status in OrderStatus::ALL {
                    option value=(status.name()) selected[asked.status == status.name()] { (words.of_status(*status)) }
                }
            }
            label .unseen for="user" { (words.user) }
            input #user name="user_id" value=(asked.user) placeholder=(words.user);
            label .unseen for="number" { (words.order_no) }
            input #number name="order_no" value=(asked.order_no) placeholder=(words.order_no);
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
            p { a .button rel="next" href={ "/console/orders?status=" (asked.status) "&user_id=" (asked.user) "&order_no=" (asked.order_no) "&before=" (order_id(before)) } { (words.more) } }
        }
    })
}
