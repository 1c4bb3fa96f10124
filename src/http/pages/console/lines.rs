//! Waiting lists: which there are, and who is in one.

use maud::{Markup, html};

use super::nav;
use crate::http::error::ApiError;
use crate::http::pages::form::Asked;
use crate::http::pages::go::link;
use crate::http::pages::number::number;
use crate::http::pages::page::Desk;
use crate::http::pages::time;
use crate::http::reply::Answer;
use crate::mall::{InLine, Standing};

/// As many lines are shown, the longest of them.
const LINES_MAX: usize = 200;

pub(in crate::http::pages) async fn get(page: &Desk<'_>, asked: &Asked) -> Answer {
    let content = match asked.only("product_id")? {
        Some(product_id) => one(page, &product_id, &page.mall().line(&product_id)?),
        None => all(page, &page.mall().lines().map_err(ApiError::from)?),
    };
    Ok(page.show(page.words.waiting_lists, &content))
}

fn all(page: &Desk<'_>, lines: &[Standing]) -> Markup {
    let words = page.words;
    html! {
        (nav(page))
        @if lines.is_empty() { p { (words.nothing_here) } } @else {
            div .wide tabindex="0" role="region" aria-label=(words.waiting_lists) {
                table {
                    thead { tr { th scope="col" { (words.products) } th scope="col" .number { (words.waiting) } } }
                    tbody {
                        @for it in lines.iter().take(LINES_MAX) {
                            tr {
                                th scope="row" { a href=(link("/console/lines", &[("product_id", &it.product_id)])) { (it.product_id) } }
                                td .number { (it.waiting) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn one(page: &Desk<'_>, product_id: &str, line: &[InLine]) -> Markup {
    let words = page.words;
    html! {
        (nav(page))
        h2 { a href={ "/console/products/" (product_id) } { (product_id) } }
        @if line.is_empty() { p { (words.nothing_here) } } @else {
            div .wide tabindex="0" role="region" aria-label=(words.waiting_list) {
                table {
                    thead { tr {
                        th scope="col" .number { (words.place) } th scope="col" { (words.user) }
                        th scope="col" { (words.since) } th scope="col" .number { (words.wait_minutes) }
                    } }
                    tbody {
                        @for it in line {
                            tr {
                                td .number { (it.place.position) }
                                td { a href=(link("/console/users", &[("user_id", &it.user_id)])) { (it.user_id) } }
                                td { (time::told(page.mall(), it.place.joined_at)) }
                                td .number { @if let Some(ms) = it.place.estimated_wait_ms { (number(ms.div_ceil(60_000))) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
