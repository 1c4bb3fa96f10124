//! An exchange, in two steps: what it would cost, and that it is meant.
//!
//! The page that asks makes the key, so that a form that is sent twice, by a double click or by the way
//! back, acts once.

use maud::{Markup, html};
use serde_json::{Map, Value};

use crate::base::error::Result;
use crate::http::error::ApiError;
use crate::http::error::lacking;
use crate::http::pages::form::{Fields, Form};
use crate::http::pages::page::{Page, number, see_other};
use crate::http::query;
use crate::http::reply::Answer;
use crate::mall::{Eligible, Exchange, Hindrance, Item, ORDER_QUANTITY_MAX, Wanted, order_id};

/// The fields of a delivery, as the mall's document has them.
pub(super) const DELIVERY: [&str; 3] = ["recipient", "phone", "address"];
/// The most characters that each of them has.
const DELIVERY_CHARS_MAX: usize = 200;

pub(in crate::http::pages) async fn get(page: &Page<'_, 1>) -> Answer {
    let quantity = match page.only("quantity")? {
        Some(text) => query::number("quantity", &text, 1..=ORDER_QUANTITY_MAX)?,
        None => 1,
    };
    let [product_id] = page.path;
    let (mall, visit) = (page.mall(), page.visit()?);
    let (item, _) = mall.product(product_id)?;
    let asked = Eligible::Product(Wanted { product_id, quantity });
    let found = mall.eligibility(visit.user, asked).await?;
    let key = page.request().app.ids.make();
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
    };
    let content = match hindrances.is_empty() {
        true => html! { (facts) (ask(page, &item, quantity, &key)) },
        false => {
            html! { (facts) p { a .button href={ "/products/" (product_id) } { (page.words.back) } } }
        }
    };
    Ok(page.show(page.words.review, &content))
}

fn hindrance(page: &Page<'_, 1>, found: &Hindrance) -> &'static str {
    match found {
        Hindrance::OffShelf => page.words.of_code(crate::http::error::Code::ProductNotFound),
        Hindrance::Short(lack, _) => page.words.of_code(lacking(*lack)),
    }
}

fn ask(page: &Page<'_, 1>, item: &Item, quantity: u64, key: &str) -> Markup {
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

/// What a form says of a delivery; nothing where every field is empty.
///
/// # Errors
/// INVALID_REQUEST where a field is too long.
pub(super) fn delivery(fields: &Fields) -> Result<Option<Map<String, Value>>, ApiError> {
    let mut info = Map::new();
    for name in DELIVERY {
        if let Some(text) = fields.get(name) {
            let text = query::short(name, text.to_owned())?;
            info.insert(name.to_owned(), Value::String(text));
        }
    }
    Ok(Some(info).filter(|info| !info.is_empty()))
}

pub(in crate::http::pages) async fn post(page: &Page<'_, 1>, form: Form) -> Answer {
    let fields = form.read(page).await?;
    let [product_id] = page.path;
    let quantity = query::number("quantity", fields.must("quantity")?, 1..=ORDER_QUANTITY_MAX)?;
    let info = delivery(&fields)?;
    let visit = page.visit()?;
    let key = visit.key(page, fields.must("key")?, &fields.bytes)?;
    let items = [Wanted { product_id, quantity }];
    let exchange = Exchange {
        delivery_info: info.as_ref(),
        confirm: fields.get("confirm").is_some(),
        key: Some(key),
        ..Exchange::of(&items)
    };
    let receipt = page.mall().exchange(visit.user, &exchange).await?;
    see_other(&format!("/orders/{}", order_id(receipt.reservation)))
}
