//! What happened in a day or in a week, with plots. Each has a table beside it.

use maud::{Markup, PreEscaped, html};

use super::nav;
use crate::base::error::Result;
use crate::http::error::ApiError;
use crate::http::pages::form::Asked;
use crate::http::pages::number::number;
use crate::http::pages::page::Desk;
use crate::http::pages::time;
use crate::http::pages::words::Words;
use crate::http::plot::{self, Caption};
use crate::http::reply::Answer;
use crate::mall::{Report, ReportPeriod, Span};

pub(in crate::http::pages) async fn get(page: &Desk<'_>, asked: &Asked) -> Answer {
    let [date, week] = asked.all(["date", "week"])?;
    let (mall, words) = (page.mall().clone(), page.words);
    // Today, where nothing is asked for.
    let now = mall.zone().told(mall.now_ms());
    let today = now.split(' ').next().unwrap_or_default();
    let period = match (date, week) {
        (_, Some(week)) => ReportPeriod::parse(Span::Weekly, week, mall.zone())?,
        (date, None) => ReportPeriod::parse(Span::Daily, date.unwrap_or(today), mall.zone())?,
    };
    mall.show_records().await?;
    let make = move || {
        let report = mall.report(&period)?;
        let plots = drawn(words, &report)?;
        Ok::<_, ApiError>((report, plots))
    };
    let (report, plots) = page.call.app.reports.run(make).await?;
    let title = format!("{} {}", page.words.report, report.period);
    Ok(page.show(&title, &content(page, &report, &plots)))
}

/// The plots: of the course, and of products where there are any.
fn drawn(words: &Words, report: &Report) -> Result<(String, Option<String>)> {
    let caption = |title| Caption { title, told: words.plot_told };
    let course = plot::course(report, caption(words.exchanges_by_time))?;
    let products = (!report.products.is_empty())
        .then(|| plot::products(report, caption(words.products_by_units)));
    Ok((course, products.transpose()?))
}

fn content(
    page: &Desk<'_>,
    report: &Report,
    (course, products): &(String, Option<String>),
) -> Markup {
    let (words, mall) = (page.words, page.mall());
    html! {
        (nav(page))
        form .search action="/console/reports" {
            label { (words.day) input type="date" name="date"; }
            label { (words.week) input type="week" name="week" placeholder="2026-W48"; }
            button { (words.search) }
        }
        p { (time::told(mall, report.from)) " – " (time::told(mall, report.to)) " · " (report.time_zone) }
        @if !report.is_over { p .out { (words.not_over) @if let Some(at) = report.as_of { " " (time::told(mall, at)) } } }
        (totals(words, report))
        section {
            h2 { (words.exchanges_by_time) }
            // It was made of numbers, and of names that were escaped.
            div .wide .plot tabindex="0" role="region" aria-label=(words.exchanges_by_time) { (PreEscaped(course)) }
            (course_table(words, report))
        }
        @if let Some(products) = products {
            section {
                h2 { (words.products_by_units) }
                div .wide .plot tabindex="0" role="region" aria-label=(words.products_by_units) { (PreEscaped(products)) }
                (products_table(words, report))
            }
        }
    }
}

fn totals(words: &Words, report: &Report) -> Markup {
    let Report { orders, units, points, users, .. } = report;
    let figures = [
        (words.ordered, orders.made),
        (words.exchanges, orders.exchanged),
        (words.cancelled, orders.cancelled),
        (words.expired, orders.expired),
        (words.refunds, orders.refunds),
        (words.units, units.exchanged),
        (words.units_returned, units.returned),
        (words.points_consumed, points.consumed),
        (words.points_returned, points.returned),
        (words.users_exchanging, users.exchanging),
    ];
    html! { dl { @for (name, value) in figures { dt { (name) } dd { (number(value)) } } } }
}

fn course_table(words: &Words, report: &Report) -> Markup {
    html! {
        div .wide tabindex="0" role="region" aria-label={ (words.exchanges_by_time) " · " (words.plot_table) } {
            table {
                thead { tr { th scope="col" { (words.when) } th scope="col" .number { (words.exchanges) } th scope="col" .number { (words.points_unit) } } }
                tbody {
                    @for it in &report.course {
                        tr { th scope="row" { (it.name) } td .number { (number(it.exchanges)) } td .number { (number(it.points_consumed)) } }
                    }
                }
            }
        }
    }
}

fn products_table(words: &Words, report: &Report) -> Markup {
    html! {
        div .wide tabindex="0" role="region" aria-label={ (words.products_by_units) " · " (words.plot_table) } {
            table {
                thead { tr {
                    th scope="col" { (words.products) } th scope="col" .number { (words.exchanges) } th scope="col" .number { (words.units) }
                    th scope="col" .number { (words.points_unit) } th scope="col" .number { (words.units_returned) }
                } }
                tbody {
                    @for it in &report.products {
                        tr {
                            th scope="row" { a href={ "/console/products/" (it.id) } { (it.name.as_deref().unwrap_or(&it.id)) } }
                            td .number { (number(it.exchanges)) } td .number { (number(it.units)) }
                            td .number { (number(it.points)) } td .number { (number(it.units_returned)) }
                        }
                    }
                }
            }
        }
    }
}
