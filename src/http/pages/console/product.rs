//! One product: its stock, what changed it and who, and how it is changed.

use maud::{Markup, html};

use super::{because, nav, reason_field};
use crate::base::error::Result;
use crate::base::{QUANTITY_MAX, TimeMs};
use crate::history::ChangeRecord;
use crate::http::error::ApiError;
use crate::http::pages::form::Fields;
use crate::http::pages::go::see_other;
use crate::http::pages::life::{Caption, Moment, picture};
use crate::http::pages::number::number;
use crate::http::pages::page::Desk;
use crate::http::pages::time;
use crate::http::query;
use crate::http::reply::Answer;
use crate::mall::{Editor, Note, Product, Seen, StockPlace, order_id};

const CHANGES: usize = 50;
/// How many of them are drawn.
const DRAWN: usize = 500;

pub(in crate::http::pages) async fn get(page: &Desk<'_, 1>) -> Answer {
    let [product_id] = page.call.path;
    let (words, mall) = (page.words, page.mall());
    let found = mall.inventory(product_id, DRAWN).await?;
    let level = &found.level;
    let content = html! {
        (nav(page))
        dl {
            dt { (words.stock) } dd .price { (number(level.available)) }
            dt { (words.reserved) } dd { (number(level.reserved)) }
            dt { (words.sold) } dd { (number(level.consumed)) }
            dt { (words.written_off) } dd { (number(level.written_off)) }
            dt { (words.received) } dd { (number(level.received)) }
            dt { (words.waiting) } dd { (level.waiting) }
        }
        (forms(page, &found.item.product))
        @if !found.changes.is_empty() {
            section { h2 { (words.life) } (life(page, &found.changes)) }
        }
        section {
            h2 { (words.changes) }
            div .wide tabindex="0" role="region" aria-label=(words.changes) {
                table {
                    thead { tr {
                        th scope="col" { (words.when) } th scope="col" { (words.what) } th scope="col" .number { (words.change) }
                        th scope="col" .number { (words.stock) } th scope="col" { (words.who) } th scope="col" { (words.why) }
                    } }
                    tbody {
                        @for change in found.changes.iter().take(CHANGES) {
                            @let note = Note::read(&change.note);
                            tr {
                                td { (time::told(mall, change.at)) }
                                td { (change.kind.name()) @if let Some(order) = change.reservation { " " a href={ "/console/orders/" (order_id(order)) } { (words.order) } } }
                                td .number { (number(change.delta)) }
                                td .number { (number(change.available)) }
                                td { (note.operator.unwrap_or_default()) }
                                td { (note.reason) }
                            }
                        }
                    }
                }
            }
        }
    };
    Ok(page.show(&found.item.product.name, &content))
}

/// The stock over time, of the newest changes.
fn life(page: &Desk<'_, 1>, newest_first: &[ChangeRecord]) -> Markup {
    let (words, mall) = (page.words, page.mall());
    let zone = &mall.config().time_zone;
    let moments: Vec<Moment> = newest_first
        .iter()
        .rev()
        .map(|it| {
            let (when, by) = (zone.told(it.at), number(it.delta));
            let told = format!("{when} {} {by} → {}", it.kind.name(), number(it.available));
            Moment { at: it.at, available: it.available, told }
        })
        .collect();
    let levels = || moments.iter().map(|it| it.available);
    let [low, high] = [levels().min(), levels().max()].map(|it| number(it.unwrap_or_default()));
    let told = format!(
        "{} {}; {} {low}; {} {high}",
        words.changes,
        moments.len(),
        words.lowest,
        words.highest
    );
    let end = |it: Option<&Moment>| it.map(|it| zone.told(it.at)).unwrap_or_default();
    let ends = [end(moments.first()), end(moments.last())];
    picture(&Caption { title: words.life, told: &told, ends }, &moments)
}

fn forms(page: &Desk<'_, 1>, product: &Product) -> Markup {
    let (words, is_active) = (page.words, product.active);
    let begins = product.sale_starts_at.and_then(|at| page.mall().config().time_zone.filled_in(at));
    let [path] = page.call.path;
    let path = format!("/console/products/{path}");
    let key = page.new_key();
    let acts = [("receive", words.receive), ("count", words.count), ("write-off", words.write_off)];
    html! {
        form method="post" action=(path) .panel data-once {
            input type="hidden" name="key" value=(key);
            label { (words.quantity) input type="number" name="quantity" min="0" max=(QUANTITY_MAX) required; }
            (reason_field(words))
            @for (what, label) in acts { button name="do" value=(what) { (label) } " " }
        }
        form method="post" action=(path) .panel {
            label { (words.sale_begins_field) input type="datetime-local" step="1" name="begins" value=[begins]; }
            button name="do" value="begin" { (words.save) }
        }
        form method="post" action=(path) {
            button name="do" value=(if is_active { "withdraw" } else { "publish" }) {
                (if is_active { words.withdraw } else { words.publish })
            }
        }
    }
}

pub(in crate::http::pages) async fn post(page: &Desk<'_, 1>, fields: &Fields) -> Answer {
    let [product_id] = page.call.path;
    let mall = page.mall();
    let what = fields.must("do")?;
    if let "publish" | "withdraw" | "begin" = what {
        let begins = fields.get("begins").map(|text| begins(page, text)).transpose()?;
        let change: fn(&mut Product, Option<TimeMs>) = match what {
            "publish" => |it, _| it.active = true,
            "withdraw" => |it, _| it.active = false,
            _ => |it, begins| it.sale_starts_at = begins,
        };
        let make = Box::new(move |before: &Product| {
            let mut after = before.clone();
            change(&mut after, begins);
            Ok(after)
        });
        let editor = Editor { name: page.user().id().to_owned(), key: None };
        mall.change(product_id, Seen::Any, editor, make).await?;
        return see_other(&format!("/console/products/{product_id}"));
    }
    let key = Some(fields.key(&page.call)?);
    let least = u64::from(what != "count");
    let quantity = query::number("quantity", fields.must("quantity")?, least..=QUANTITY_MAX)?;
    let (place, note) = (StockPlace::for_sale(product_id), because(page, fields)?);
    match what {
        "receive" => drop(mall.receive(place, quantity, &note, key).await?),
        "count" => drop(mall.count(place, quantity, &note, key).await?),
        "write-off" => drop(mall.write_off(place, quantity, &note, key).await?),
        _ => {
            return Err(ApiError::invalid(
                "do is receive, count, write-off, begin, publish or withdraw",
            ));
        }
    }
    see_other(&format!("/console/products/{product_id}"))
}

/// When a sale begins, as a form has it.
fn begins(page: &Desk<'_, 1>, text: &str) -> Result<TimeMs, ApiError> {
    let read = page.mall().config().time_zone.read(text);
    read.ok_or_else(|| ApiError::invalid("begins must be a day and a time of it"))
}
