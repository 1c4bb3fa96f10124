//! A flash sale: how long until it begins, how many there are, and one button.
//!
//! The page only shows; that nobody is served before its time is the mall's to decide. Nothing is loaded
//! anew when the time is up: everybody would do so at once.

use maud::{Markup, html};

use super::part::picture;
use crate::base::TimeMs;
use crate::base::error::Result;
use crate::http::api::shop::catalogue::for_sale;
use crate::http::error::ApiError;
use crate::http::pages::form::Fields;
use crate::http::pages::go::{link, see_other};
use crate::http::pages::number::number;
use crate::http::pages::page::{AnyPage, UserPage};
use crate::http::pages::time;
use crate::http::reply::Answer;
use crate::ledger::Level;
use crate::mall::{Exchange, Item, Wanted, order_id};

pub(in crate::http::pages) async fn get(page: &AnyPage<'_, 1>) -> Answer {
    let [product_id] = page.call.path;
    let (item, level) = page.mall().product(product_id)?;
    let balance = match page.visitor() {
        Some(user) => Some(page.mall().balance_if_known(user).await?),
        None => None,
    };
    let content = content(page, &item, &level, balance)?;
    Ok(page.show(&item.product.name, &content))
}

fn content(
    page: &AnyPage<'_, 1>,
    item: &Item,
    level: &Level,
    balance: Option<i64>,
) -> Result<Markup, ApiError> {
    let (words, product) = (page.words, &item.product);
    let left = for_sale(level);
    let path = format!("/products/{}", product.id);
    let price = product.price_at(page.tier()?);
    Ok(html! {
        article .product {
            (picture(&product.name, product.images.first().map(String::as_str)))
            dl {
                dt { (words.cost) } dd .price { (number(price)) " " (words.points_unit) }
                @if let Some(balance) = balance { dt { (words.balance) } dd { (number(balance)) } }
                dt { (words.stock) } dd #stock aria-live="polite" data-stock=(product.id) data-out=(words.sold_out) {
                    @if left > 0 { (number(left)) } @else { (words.sold_out) }
                }
                @if let Some(at) = product.sale_starts_at { dt { (words.sale_starts) } dd { (time::told(page.mall(), at)) } }
            }
            @if let Some(at) = product.sale_starts_at { (opening(page, at)) }
            (button(page, &path, left))
            p .failure data-when-sold-out hidden[left > 0] { (words.sold_out) " " a href=(path) { (words.waiting_list) } }
            p { a href=(path) { (words.see_product) } }
        }
    })
}

/// What a script counts down to, by the server's clock.
fn opening(page: &AnyPage<'_, 1>, at: TimeMs) -> Markup {
    let words = page.words;
    html! {
        p .opening role="timer" data-opens=(at) data-begun=(words.has_begun) {
            @if at > page.mall().now_ms() { span { (words.starts_in) } " " strong .countdown {} }
            @else { (words.has_begun) }
        }
        p .quiet { (words.sale_hint) }
    }
}

fn button(page: &AnyPage<'_, 1>, path: &str, left: u64) -> Markup {
    let words = page.words;
    let path = format!("{path}/sale");
    html! {
        @if page.visitor().is_some() {
            form method="post" action=(path) data-once data-when-open data-when-stocked hidden[left == 0] {
                input type="hidden" name="key" value=(page.new_key());
                button .main { (words.exchange_now) }
            }
        } @else {
            p { a .button href=(link("/sign-in", &[("next", &path)])) { (words.sign_in) } }
        }
    }
}

/// One unit, confirmed at once. Where it goes is said on the page of the order.
pub(in crate::http::pages) async fn post(page: &UserPage<'_, 1>, fields: &Fields) -> Answer {
    let [product_id] = page.call.path;
    let items = [Wanted { product_id, quantity: 1 }];
    let key = Some(fields.key(&page.call)?);
    let exchange = Exchange { confirm: true, key, ..Exchange::of(&items) };
    let receipt = page.mall().exchange(page.user(), &exchange).await?;
    see_other(&format!("/orders/{}", order_id(receipt.reservation)))
}
