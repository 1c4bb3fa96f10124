//! Experiments on recommendations: what came of each, with what is not known of it.

use maud::{Markup, html};

use super::nav;
use crate::http::pages::number::number;
use crate::http::pages::page::Desk;
use crate::http::pages::time;
use crate::http::reply::Answer;
use crate::mall::{Interval, RunShown};

pub(in crate::http::pages) async fn get(page: &Desk<'_>) -> Answer {
    let runs = page.mall().experiments().await?;
    let content = html! {
        (nav(page))
        @if runs.is_empty() { p { (page.words.nothing_here) } } @else { p .quiet { (page.words.interval_hint) } }
        @for it in &runs { (run(page, it)) }
    };
    Ok(page.show(page.words.experiments, &content))
}

fn run(page: &Desk<'_>, shown: &RunShown) -> Markup {
    let (words, mall) = (page.words, page.mall());
    let RunShown { run, is_full, variants, .. } = shown;
    html! {
        section {
            h2 { (run.name) " " (run.run) }
            p { (words.since) " " (time::told(mall, run.begun_at))
                @match &run.end {
                    Some(end) => { " · " (words.ended) " " (time::told(mall, end.at)) }
                    None => { " · " (words.running) }
                }
            }
            @if *is_full { p .out { (words.not_all_counted) } }
            div .wide tabindex="0" role="region" aria-label={ (run.name) " " (run.run) } {
                table {
                    thead { tr {
                        th scope="col" { (words.variant) } th scope="col" .number { (words.exposed) } th scope="col" .number { (words.converted) }
                        th scope="col" .number { (words.rate) } th scope="col" .number { (words.difference) }
                    } }
                    tbody {
                        @for it in variants {
                            tr {
                                th scope="row" { (it.name) " (" (it.percent) " %)" }
                                td .number { (number(it.share.of)) }
                                td .number { (number(it.share.some)) }
                                td .number { (percent(it.share.interval())) }
                                td .number { (percent(it.difference)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A part of one in percent, and between which values it is.
fn percent(part: Option<Interval>) -> String {
    part.map_or_else(String::new, |Interval { value, low, high }| {
        let [value, low, high] = [value, low, high].map(|it| it * 100.0);
        format!("{value:.1} % ({low:.1} … {high:.1})")
    })
}
