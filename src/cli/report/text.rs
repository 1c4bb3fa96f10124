//! A report to read in a terminal or a mail.

use std::fmt::Write;

use super::rows::{Row, kind_name, totals};
use crate::cli::audit::{show_time, table};
use crate::mall::{AnswerFigures, KindFigures, LONGEST_MS, ProductFigures, Report, SlotFigures};

/// How long the longest bar is.
const BAR: u64 = 40;

pub(super) fn text(report: &Report) -> String {
    let mut text = heading(report) + "\n";
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}\n", during(report));
    let rows: Vec<[String; 3]> = totals(report)
        .into_iter()
        .map(|Row { about, figure, value, item: _ }| [about.to_owned(), figure.to_owned(), value])
        .collect();
    text.push_str(table(["", "", ""], &[2], &rows).trim_start());
    if !report.products.is_empty() {
        text.push_str("\nProducts\n");
        let rows: Vec<[String; 8]> = report.products.iter().map(cells).collect();
        text.push_str(&table(PRODUCTS_HEAD, &[1, 2, 3, 4, 5, 6, 7], &rows));
    }
    text.push_str("\nExchanges\n");
    let most = report.course.iter().map(|slot| slot.exchanges).max().unwrap_or(0).max(1);
    for SlotFigures { name, exchanges, .. } in &report.course {
        let bar = "#".repeat((exchanges * BAR).div_ceil(most) as usize);
        let _ = writeln!(text, "{}", format!("{name}  {exchanges:>8}  {bar}").trim_end());
    }
    let rows: Vec<[String; 8]> = answers(report);
    if !rows.is_empty() {
        text.push_str("\nAnswers of the server\n");
        text.push_str(&table(ANSWERS_HEAD, &[1, 2, 3, 4, 5, 6, 7], &rows));
    }
    if !report.left_out.is_empty() {
        text.push_str("\nLeft out\n");
    }
    for left in &report.left_out {
        let _ = writeln!(text, "{}: {}", left.figure, left.why);
    }
    text
}

/// What the report is of.
pub(super) fn heading(report: &Report) -> String {
    let word = match report.span {
        crate::mall::Span::Daily => "Daily",
        crate::mall::Span::Weekly => "Weekly",
    };
    format!("{word} report {}", report.period)
}

/// From when to when it is, and whether that is over.
pub(super) fn during(report: &Report) -> String {
    let over = match report.as_of {
        Some(at) if !report.is_over => {
            format!("; it is not over: these are the figures until {}", show_time(at))
        }
        Some(_) | None => String::new(),
    };
    let (from, to) = (show_time(report.from), show_time(report.to));
    format!("{from} to {to}, {}{over}", report.time_zone)
}

/// What the columns of products are.
pub(super) const PRODUCTS_HEAD: [&str; 8] = [
    "product",
    "units",
    "exchanges",
    "points",
    "returned",
    "turnover",
    "views",
    "exchanges per view",
];
/// What the columns of answers are.
pub(super) const ANSWERS_HEAD: [&str; 8] =
    ["asked", "requests", "refused", "failed", "error rate", "p50 ms", "p95 ms", "p99 ms"];

/// How answers went, by what was asked for.
pub(super) fn answers(report: &Report) -> Vec<[String; 8]> {
    let kinds = report.service.iter().flat_map(|service| &service.by_kind);
    let row = |it: &KindFigures| {
        let AnswerFigures { requests, refused, failed, error_rate, p50_ms, p95_ms, p99_ms } =
            &it.answers;
        let ms =
            |ms: &Option<u64>| ms.map_or_else(|| format!("over {LONGEST_MS}"), |ms| ms.to_string());
        [
            kind_name(it.kind).to_owned(),
            requests.to_string(),
            refused.to_string(),
            failed.to_string(),
            error_rate.map(|rate| rate.to_string()).unwrap_or_default(),
            ms(p50_ms),
            ms(p95_ms),
            ms(p99_ms),
        ]
    };
    kinds.map(row).collect()
}

/// A product with its figures.
pub(super) fn cells(product: &ProductFigures) -> [String; 8] {
    let ProductFigures {
        id,
        name,
        exchanges,
        units,
        points,
        units_returned,
        turnover,
        views,
        exchanges_per_view,
    } = product;
    [
        name.as_ref().map_or_else(|| id.clone(), |name| format!("{name} ({id})")),
        units.to_string(),
        exchanges.to_string(),
        points.to_string(),
        units_returned.to_string(),
        turnover.rate.map(|rate| rate.to_string()).unwrap_or_default(),
        views.map(|views| views.to_string()).unwrap_or_default(),
        exchanges_per_view.map(|it| it.to_string()).unwrap_or_default(),
    ]
}
