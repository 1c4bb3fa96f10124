//! Products, for sale or not, with their stock.

use maud::{Markup, html};

use super::nav;
use crate::http::api::shop::catalogue::{Shown, parse_listing};
use crate::http::error::ApiError;
use crate::http::pages::form::Asked;
use crate::http::pages::go::link;
use crate::http::pages::number::number;
use crate::http::pages::page::Desk;
use crate::http::reply::Answer;
use crate::mall::ListingPage;

pub(in crate::http::pages) async fn get(page: &Desk<'_>, asked: &Asked) -> Answer {
    let (filter, place) = parse_listing(asked.pairs(), Shown::Everything)?;
    let mall = page.mall().clone();
    let find = move || mall.products(&filter, &place).map_err(ApiError::from);
    let found = page.call.lanes().searches.run(find).await?;
    let content = content(page, asked.get("keyword"), &found);
    Ok(page.show(page.words.products_and_stock, &content))
}

fn content(page: &Desk<'_>, keyword: &str, found: &ListingPage) -> Markup {
    let words = page.words;
    html! {
        (nav(page))
        form .search role="search" action="/console/products" {
            label .unseen for="keyword" { (words.search_hint) }
            input #keyword type="search" name="keyword" value=(keyword) placeholder=(words.search_hint);
            button { (words.search) }
        }
        @if found.items.is_empty() { p { (words.no_products) } } @else {
            div .wide tabindex="0" role="region" aria-label=(words.products_and_stock) {
                table {
                    thead { tr {
                        th scope="col" { (words.products) } th scope="col" .number { (words.points_unit) }
                        th scope="col" .number { (words.stock) } th scope="col" .number { (words.reserved) }
                        th scope="col" .number { (words.sold) } th scope="col" { (words.on_shelf) }
                    } }
                    tbody {
                        @for (item, level) in &found.items {
                            tr {
                                th scope="row" { a href={ "/console/products/" (item.product.id) } { (item.product.name) } }
                                td .number { (number(item.product.points_price)) }
                                td .number { (number(level.available)) }
                                td .number { (number(level.reserved)) }
                                td .number { (number(level.consumed)) }
                                td { (if item.product.active { words.yes } else { words.no }) }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(after) = &found.next {
            p { a .button rel="next" href=(link("/console/products", &[("keyword", keyword), ("after", &after.to_string())])) { (words.more) } }
        }
    }
}
