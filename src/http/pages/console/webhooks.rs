//! The receivers of webhooks, and the messages to them that were given up.

use std::collections::HashSet;

use maud::{Markup, html};

use super::nav;
use crate::base::error::Result;
use crate::http::api::admin::webhooks::blocking;
use crate::http::error::ApiError;
use crate::http::pages::form::Fields;
use crate::http::pages::go::see_other;
use crate::http::pages::number::number;
use crate::http::pages::page::Desk;
use crate::http::pages::time;
use crate::http::reply::Answer;
use crate::webhooks::{Dead, Standing, Webhooks};

/// How many messages of each receiver are shown.
const DEAD: usize = 20;

pub(in crate::http::pages) async fn get(page: &Desk<'_>) -> Answer {
    let words = page.words;
    let content = html! {
        (nav(page))
        @match &page.call.app.webhooks {
            None => { p { (words.none) } }
            Some(webhooks) => { (receivers(page, webhooks)?) }
        }
    };
    Ok(page.show(words.webhooks, &content))
}

fn receivers(page: &Desk<'_>, webhooks: &Webhooks) -> Result<Markup, ApiError> {
    let standings = webhooks.standings();
    let mut parts = Vec::with_capacity(standings.len());
    for standing in &standings {
        let mut dead = webhooks.dead(&standing.id)?;
        dead.truncate(DEAD);
        parts.push(receiver(page, standing, &dead));
    }
    Ok(html! {
        @if parts.is_empty() { p { (page.words.nothing_here) } }
        @for part in parts { (part) }
    })
}

fn receiver(page: &Desk<'_>, standing: &Standing, dead: &[Dead]) -> Markup {
    let (words, mall) = (page.words, page.mall());
    let Standing { id, profile, counts, waiting, oldest_queued_at, dead: count, read_through: _ } =
        standing;
    html! {
        section {
            h2 { (id) }
            dl {
                dt { (words.address) } dd { code { (profile.url) } }
                dt { (words.what) } dd { (profile.events.names().join(", ")) }
                dt { (words.status) } dd {
                    @match profile.off {
                        None => { (words.is_on) }
                        Some(off) => { strong .out { (words.is_off) } " · " code { (off.name()) } }
                    }
                }
                dt { (words.messages_waiting) } dd { (number(*waiting as u64))
                    @if let Some(at) = oldest_queued_at { " · " (words.since) " " (time::told(mall, *at)) } }
                dt { (words.messages_delivered) } dd { (number(counts.delivered))
                    @if let Some(at) = counts.last_delivered_at { " · " (time::told(mall, at)) } }
                dt { (words.failed_attempts) } dd { (number(counts.failed_attempts)) }
                @if let Some(failure) = &counts.last_failure {
                    dt { (words.last_error) } dd { (failure.error) " · " (time::told(mall, failure.at)) }
                }
                dt { (words.dead_letters) } dd {
                    @if *count == 0 { "0" } @else { strong .out { (number(*count as u64)) } }
                    @if counts.dead_evicted > 0 { " · " (words.no_longer_kept) " " (number(counts.dead_evicted)) }
                }
            }
            @if !dead.is_empty() {
                (letters(page, id, dead))
                form method="post" action="/console/webhooks" data-once {
                    input type="hidden" name="receiver_id" value=(id);
                    button .main { (words.redeliver_all) }
                }
            }
        }
    }
}

fn letters(page: &Desk<'_>, id: &str, dead: &[Dead]) -> Markup {
    let (words, mall) = (page.words, page.mall());
    html! {
        div .wide tabindex="0" role="region" aria-label={ (words.dead_letters) " " (id) } {
            table {
                thead { tr {
                    th scope="col" { (words.message) } th scope="col" { (words.what) } th scope="col" .number { (words.tries) }
                    th scope="col" { (words.last_error) } th scope="col" { (words.when) } th scope="col" { (words.redeliver) }
                } }
                tbody {
                    @for Dead { letter, died_at } in dead {
                        tr {
                            th scope="row" { code { (letter.id) } }
                            td { code { (letter.kind.name()) } }
                            td .number { (number(letter.attempts)) }
                            td { (letter.last_error.as_deref().unwrap_or_default()) }
                            td { (time::told(mall, *died_at)) }
                            td {
                                form method="post" action="/console/webhooks" data-once {
                                    input type="hidden" name="receiver_id" value=(id);
                                    input type="hidden" name="message_id" value=(letter.id);
                                    button aria-label={ (words.redeliver) " " (letter.id) } { (words.redeliver) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Tries messages again that were given up: one, or all of a receiver. Sent twice it finds none the
/// second time, so that it needs no key.
pub(in crate::http::pages) async fn post(page: &Desk<'_>, fields: &Fields) -> Answer {
    let receiver = fields.must("receiver_id")?.to_owned();
    let ids = fields.get("message_id").map(|id| HashSet::from([id.to_owned()]));
    blocking(&page.call, move |webhooks| webhooks.replay(&receiver, ids.as_ref())).await?;
    see_other("/console/webhooks")
}
