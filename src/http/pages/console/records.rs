//! Who did what: changes of stock by operator, product and order, newest first.

use maud::{Markup, html};

use super::nav;
use crate::http::api::admin::records::Asked as Wanted;
use crate::http::error::ApiError;
use crate::http::pages::form::Asked;
use crate::http::pages::go::link;
use crate::http::pages::number::number;
use crate::http::pages::page::Desk;
use crate::http::pages::time;
use crate::http::reply::Answer;
use crate::mall::model::RecordPlace;
use crate::mall::{Note, StockRecord, StockRecords, order_id};

const PAGE_SIZE: usize = 50;
/// The longest reasons of so many, and what they become.
const PAGE_BYTES: usize = 256 << 10;

pub(in crate::http::pages) async fn get(page: &Desk<'_>, asked: &Asked) -> Answer {
    asked.all(["operator", "product_id", "order_id", "before"])?;
    let Wanted { filter, before, .. } = Wanted::parse(asked.pairs())?;
    let charge = page.call.charge(PAGE_BYTES)?;
    page.mall().show_records().await?;
    let mall = page.mall().clone();
    let find = move || {
        let found = mall.find_records(&filter, before, PAGE_SIZE, |_| true);
        found.map_err(ApiError::from)
    };
    let found = page.call.lanes().lists.run(find).await?;
    let shown = page.show(page.words.audit_trail, &content(page, asked, &found));
    drop(charge);
    Ok(shown)
}

fn content(page: &Desk<'_>, asked: &Asked, found: &StockRecords) -> Markup {
    let words = page.words;
    let [operator, product, order] =
        ["operator", "product_id", "order_id"].map(|name| asked.get(name));
    let more = |before: RecordPlace| {
        let before = before.stock_id();
        let query = [
            ("operator", operator),
            ("product_id", product),
            ("order_id", order),
            ("before", &*before),
        ];
        link("/console/records", &query)
    };
    html! {
        (nav(page))
        form .search action="/console/records" {
            @for (name, value, label) in [("operator", operator, words.who), ("product_id", product, words.product_number), ("order_id", order, words.order_no)] {
                label .unseen for=(name) { (label) }
                input id=(name) name=(name) value=(value) placeholder=(label);
            }
            button { (words.search) }
        }
        p .quiet { (words.audit_hint) }
        @if found.records.is_empty() { p { (words.nothing_here) } } @else { (table(page, &found.records)) }
        @if let Some(before) = found.next_before {
            p { a .button rel="next" href=(more(before)) { (words.more) } }
        }
    }
}

fn table(page: &Desk<'_>, records: &[StockRecord]) -> Markup {
    let (words, mall) = (page.words, page.mall());
    html! {
        div .wide tabindex="0" role="region" aria-label=(words.audit_trail) {
            table {
                thead { tr {
                    th scope="col" { (words.when) } th scope="col" { (words.who) } th scope="col" { (words.what) }
                    th scope="col" { (words.products) } th scope="col" .number { (words.change) }
                    th scope="col" .number { (words.stock) } th scope="col" { (words.why) }
                } }
                tbody {
                    @for record in records {
                        @let (change, note) = (&record.change, Note::read(&record.change.note));
                        tr {
                            td { (time::told(mall, change.at)) }
                            td { @match note.operator {
                                Some(operator) => { a href=(link("/console/records", &[("operator", operator)])) { (operator) } }
                                None => { "–" }
                            } }
                            td { (change.kind.name()) @if let Some(order) = change.reservation { " " a href={ "/console/orders/" (order_id(order)) } { (words.order) } } }
                            td { a href={ "/console/products/" (record.product_id) } { (record.product_id) }
                                @if let Some(location) = &record.location { " · " (location) } }
                            td .number { (number(change.delta)) }
                            td .number { (number(change.available)) }
                            td { (note.reason) }
                        }
                    }
                }
            }
        }
    }
}
