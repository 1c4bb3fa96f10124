//! How the sale stands, at a glance: parts of the server, what is low, what is held.

use std::sync::Arc;

use maud::{Markup, html};

use super::nav;
use crate::base::TimeMs;
use crate::base::times::BOUNDS_US;
use crate::http::error::ApiError;
use crate::http::metrics::Sale;
use crate::http::pages::life::{self, Caption, Moment};
use crate::http::pages::number::number;
use crate::http::pages::page::Desk;
use crate::http::pages::time;
use crate::http::parts::Standing;
use crate::http::reply::Answer;
use crate::mall::facts::Alert;
use crate::mall::{AlertFilter, Held};

const ALERTS: usize = 20;

pub(in crate::http::pages) async fn get(page: &Desk<'_>) -> Answer {
    let mall = page.mall().clone();
    let filter = AlertFilter { is_open: Some(true), ..AlertFilter::default() };
    // What the ledger cannot say now is left open. How the server stands is shown above all then.
    let alerts = mall.alerts(filter, None, ALERTS).await.ok().map(|page| page.alerts);
    let find = move || mall.held(None, None, 1).map_err(ApiError::from);
    let held = page.call.lanes().lists.run(find).await.ok();
    let content = html! {
        (nav(page))
        div #board data-live="2000" { (board(page, held.as_ref(), alerts.as_deref())) }
    };
    Ok(page.show(page.words.board, &content))
}

fn board(page: &Desk<'_>, held: Option<&Held>, alerts: Option<&[Arc<Alert>]>) -> Markup {
    let (words, mall) = (page.words, page.mall());
    let parts = page.call.app.parts();
    let status = mall.engine().status();
    let sale = page.call.app.watching.sale(mall.now_ms());
    html! {
        (exchanges(page, &sale))
        dl {
            dt { (words.now) } dd { (time::told(mall, mall.now_ms())) }
            dt { (words.events) } dd { (number(status.durable_seq)) }
            dt { (words.waiting_orders) }
            dd { @match held {
                Some(held) => { (number(held.total.reservations)) " · " (number(held.total.units)) }
                None => { (words.not_known) }
            } }
            @if let Some((shown, _)) = status.history_seq {
                dt { (words.history_behind) } dd { (number(status.durable_seq.saturating_sub(shown))) }
            }
            @if let Some(bytes) = status.free_bytes { dt { (words.free) } dd { (number(bytes >> 20)) " MiB" } }
        }
        h2 { (words.parts) }
        (parts_table(page, &parts))
        h2 { (words.stock_alerts) }
        @match alerts {
            None => { p { (words.not_known) } }
            Some([]) => { p { (words.nothing_here) } }
            Some(_) => {}
        }
        ul {
            @for alert in alerts.unwrap_or_default() {
                li { a href={ "/console/products/" (alert.product_id) } { (alert.product_id) }
                    " " strong .out { (number(alert.available)) } " · " (time::told(mall, alert.begun_at)) }
            }
        }
    }
}

/// What becomes of exchanges, how many there are, and how long they take.
fn exchanges(page: &Desk<'_>, sale: &Sale) -> Markup {
    let words = page.words;
    html! {
        h2 { (words.exchanges_lately) }
        @if sale.outcomes.is_empty() { p { (words.nothing_here) } } @else {
            div .wide tabindex="0" role="region" aria-label=(words.exchanges_lately) {
                table {
                    thead { tr { th scope="col" { (words.outcome) } th scope="col" { (words.so_far) } th scope="col" { (words.per_second) } } }
                    tbody {
                        @for (outcome, count, rate) in &sale.outcomes {
                            tr {
                                th scope="row" { (outcome) }
                                td { (number(*count)) }
                                td { @match rate { Some(rate) => { (number(*rate)) } None => { "–" } } }
                            }
                        }
                    }
                }
            }
        }
        @if let Some([half, most]) = sale.took_us {
            dl {
                dt { (words.half_took) } dd { (took(page, half)) }
                dt { (words.most_took) } dd { (took(page, most)) }
            }
        }
        (course(page, &sale.course))
    }
}

fn took(page: &Desk<'_>, us: u64) -> String {
    match us {
        u64::MAX => {
            let longest = BOUNDS_US.last().copied().unwrap_or_default();
            format!("{} {} ms", page.words.longer_than, longest / 1_000)
        }
        us => format!("{} ms", us as f64 / 1e3),
    }
}

fn course(page: &Desk<'_>, course: &[(TimeMs, u64)]) -> Markup {
    let (Some((first, _)), Some((last, rate))) = (course.first(), course.last()) else {
        return html! {};
    };
    let zone = &page.mall().config().time_zone;
    let moments = course.iter().map(|(at, rate)| Moment {
        at: *at,
        available: i64::try_from(*rate).unwrap_or(i64::MAX),
        told: number(*rate),
    });
    let title = page.words.success_course;
    let caption =
        Caption { title, told: &number(*rate), ends: [*first, *last].map(|at| zone.told(at)) };
    life::picture(&caption, &moments.collect::<Vec<_>>())
}

fn parts_table(page: &Desk<'_>, parts: &[Standing]) -> Markup {
    let words = page.words;
    html! {
        div .wide tabindex="0" role="region" aria-label=(words.parts) {
            table {
                thead { tr { th scope="col" { (words.part) } th scope="col" { (words.status) } th scope="col" { (words.since) } th scope="col" { (words.still_works) } } }
                tbody {
                    @for it in parts {
                        tr {
                            th scope="row" { (it.part.name()) }
                            td { @if it.is_well { (words.well) } @else { strong .out { (words.not_well) } } }
                            td { (time::told(page.mall(), it.since_ms)) }
                            td { @if !it.is_well { (it.part.works()) } }
                        }
                    }
                }
            }
        }
    }
}
