//! An exchange, in two steps: what it would cost, and that it is meant.
//!
//! The page that asks makes the key, so that a form that is sent twice, by a double click or by the way
//! back, acts once.

use maud::{Markup, html};
use serde_json::{Map, Value};

use crate::base::error::Result;
use crate::http::error::{ApiError, Code, lacking};
use crate::http::pages::form::{Asked, Fields};
use crate::http::pages::go::see_other;
use crate::http::pages::number::number;
use crate::http::pages::page::UserPage;
use crate::http::pages::time;
use crate::http::query;
use crate::http::reply::Answer;
use crate::mall::{Eligible, Exchange, Hindrance, Item, ORDER_QUANTITY_MAX, Wanted, order_id};

/// The fields of a delivery, as the mall's document has them.
const DELIVERY: [&str; 3] = ["recipient", "phone", "address"];
/// The most characters that each of them has.
const DELIVERY_CHARS_MAX: usize = 200;

pub(in crate::http::pages) async fn get(page: &UserPage<'_, 1>, asked: &Asked) -> Answer {
    let quantity = match asked.only("quantity")? {
        Some(text) => query::number("quantity", &text, 1..=ORDER_QUANTITY_MAX)?,
        None => 1,
    };
    let [product_id] = page.call.path;
    let mall = page.mall();
    let (item, _) = mall.product(product_id)?;
    let wanted = Eligible::Product(Wanted { product_id, quantity });
    let found = mall.eligibility(page.user(), wanted).await?;
    let begins_later = item.product.begins_later(|| mall.now_ms());
    let key = page.new_key();
    let hindrances: Vec<&str> = found.hindrances.iter().map(|it| hindrance(page, it)).collect();
    let facts = html! {
        dl {
            dt { (page.words.products) } dd { (item.product.name) }
            dt { (page.words.quantity) } dd { (number(quantity)) }
            dt { (page.words.cost) } dd .price { (number(found.required)) " " (page.words.points_unit) }
            dt { (page.words.balance) } dd { (number(found.balance)) }
            @if found.hindrances.is_empty() {
                dt { (page.words.left_after) }
                dd { (number(i128::from(found.balance) - i128::from(found.required))) }
            }
        }
        @for hindrance in &hindrances { p .failure role="alert" { (hindrance) } }
        @if let Some(at) = begins_later { p { (page.words.sale_starts) " " (time::told(mall, at)) " " a href={ "/products/" (product_id) "/sale" } { (page.words.to_sale) } } }
    };
    let content = match hindrances.is_empty() {
        true => html! { (facts) (ask(page, &item, quantity, &key)) },
        false => {
            html! { (facts) p { a .button href={ "/products/" (product_id) } { (page.words.back) } } }
        }
    };
    Ok(page.show(page.words.review, &content))
}

fn hindrance(page: &UserPage<'_, 1>, found: &Hindrance) -> &'static str {
    match found {
        Hindrance::OffShelf => page.words.of_code(Code::ProductNotFound),
        Hindrance::SaleNotStarted(_) => page.words.of_code(Code::SaleNotStarted),
        Hindrance::Short(lack, _) => page.words.of_code(lacking(*lack)),
    }
}

fn ask(page: &UserPage<'_, 1>, item: &Item, quantity: u64, key: &str) -> Markup {
    let words = page.words;
    html! {
        form method="post" action={ "/products/" (item.product.id) "/exchange" } .panel data-once {
            input type="hidden" name="key" value=(key);
            input type="hidden" name="quantity" value=(quantity);
            fieldset {
                legend { (words.delivery) " " small { (words.delivery_hint) } }
                (delivery_fields(page.words, &Map::new()))
            }
            label { input type="checkbox" name="confirm" value="yes" checked; " " (words.pay_at_once) }
            button .main { (words.exchange_now) }
            " " a href={ "/products/" (item.product.id) } { (words.back) }
        }
    }
}

/// The fields of a delivery, filled in as it stands.
pub(super) fn delivery_fields(
    words: &crate::http::pages::words::Words,
    info: &Map<String, Value>,
) -> Markup {
    let labels = [words.recipient, words.phone, words.address];
    let kinds = [("text", "name"), ("tel", "tel"), ("text", "street-address")];
    html! {
        @for ((name, label), (kind, autocomplete)) in DELIVERY.into_iter().zip(labels).zip(kinds) {
            label for=(name) { (label) }
            input id=(name) name=(name) type=(kind) autocomplete=(autocomplete) maxlength=(DELIVERY_CHARS_MAX)
                value=[info.get(name).and_then(Value::as_str)];
        }
    }
}

/// What a form says of a delivery, into what is known of it. An empty field says that there is none.
///
/// # Errors
/// INVALID_REQUEST where a field is too long.
pub(super) fn fill_in(info: &mut Map<String, Value>, fields: &Fields) -> Result<(), ApiError> {
    for name in DELIVERY {
        match fields.get(name) {
            Some(said) => {
                let said = query::short(name, said.to_owned())?;
                info.insert(name.to_owned(), Value::String(said));
            }
            None => drop(info.remove(name)),
        }
    }
    Ok(())
}

pub(in crate::http::pages) async fn post(page: &UserPage<'_, 1>, fields: &Fields) -> Answer {
    let [product_id] = page.call.path;
    let quantity = query::number("quantity", fields.must("quantity")?, 1..=ORDER_QUANTITY_MAX)?;
    let mut info = Map::new();
    fill_in(&mut info, fields)?;
    let key = fields.key(&page.call)?;
    let items = [Wanted { product_id, quantity }];
    let exchange = Exchange {
        delivery_info: Some(&info).filter(|info| !info.is_empty()),
        confirm: fields.get("confirm").is_some(),
        key: Some(key),
        ..Exchange::of(&items)
    };
    let receipt = page.mall().exchange(page.user(), &exchange).await?;
    see_other(&format!("/orders/{}", order_id(receipt.reservation)))
}
