//! How the sale stands, at a glance: parts of the server, what is low, what is held.

use std::sync::Arc;

use maud::{Markup, html};

use super::nav;
use crate::http::pages::page::{Page, number};
use crate::http::pages::time;
use crate::http::parts::Standing;
use crate::http::reply::Answer;
use crate::mall::facts::Alert;
use crate::mall::{AlertFilter, Held};

const ALERTS: usize = 20;

pub(in crate::http::pages) async fn get(page: &Page<'_>) -> Answer {
    page.no_query()?;
    page.desk()?;
    let mall = page.mall().clone();
    let filter = AlertFilter { is_open: Some(true), ..AlertFilter::default() };
    let alerts = mall.alerts(filter, None, ALERTS).await?.alerts;
    let find = move || mall.held(None, None, 1).map_err(crate::http::error::ApiError::from);
    let held = page.lanes().lists.run(find).await?;
    let content = html! {
        (nav(page))
        div #board data-live="2000" { (board(page, &held, &alerts)) }
    };
    Ok(page.show(page.words.board, &content))
}

fn board(page: &Page<'_>, held: &Held, alerts: &[Arc<Alert>]) -> Markup {
    let (words, mall) = (page.words, page.mall());
    let parts = page.request().app.parts();
    let status = mall.engine().status();
    html! {
        dl {
            dt { (words.now) } dd { (time::told(mall, mall.now_ms())) }
            dt { (words.events) } dd { (number(status.durable_seq)) }
            dt { (words.waiting_orders) } dd { (number(held.total.reservations)) " · " (number(held.total.units)) }
            @if let Some(bytes) = status.free_bytes { dt { (words.free) } dd { (number(bytes >> 20)) " MiB" } }
        }
        h2 { (words.parts) }
        (parts_table(page, &parts))
        h2 { (words.stock_alerts) }
        @if alerts.is_empty() { p { (words.nothing_here) } }
        ul {
            @for alert in alerts {
                li { a href={ "/console/products/" (alert.product_id) } { (alert.product_id) }
                    " " strong .out { (number(alert.available)) } " · " (time::told(mall, alert.begun_at)) }
            }
        }
    }
}

fn parts_table(page: &Page<'_>, parts: &[Standing]) -> Markup {
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
