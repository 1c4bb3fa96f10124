//! A report as rows of figures: what it is about, what is counted, and how much it is.

use crate::http::csv_field;
use crate::mall::{ProductFigures, Report, TurnoverFigures};

/// A figure, and what it is about: all, a product, or an hour.
pub(super) struct Row {
    pub(super) about: &'static str,
    pub(super) item: String,
    pub(super) figure: &'static str,
    pub(super) value: String,
}

/// The figures of everything together.
pub(super) fn totals(report: &Report) -> Vec<Row> {
    let Report { orders, units, points, users, revenue, turnover, .. } = report;
    let mut rows = Vec::new();
    let mut row = |about, figure, value: Option<String>| {
        rows.extend(value.map(|value| Row { about, item: String::new(), figure, value }));
    };
    let count = |count: u64| Some(count.to_string());
    row("orders", "made", count(orders.made));
    row("orders", "exchanged", count(orders.exchanged));
    row("orders", "cancelled", count(orders.cancelled));
    row("orders", "expired", count(orders.expired));
    row("orders", "refunds", count(orders.refunds));
    row("orders", "refunded whole", count(orders.refunded_whole));
    row("units", "exchanged", count(units.exchanged));
    row("units", "returned", count(units.returned));
    row("points", "consumed", count(points.consumed));
    row("points", "returned", count(points.returned));
    row("users", "exchanging", count(users.exchanging));
    row("users", "new", users.new.map(|it| it.to_string()));
    row("users", "returning", users.returning.map(|it| it.to_string()));
    row("users", "exchanging before", users.before.map(|it| it.to_string()));
    row("users", "retained", users.retained.map(|it| it.to_string()));
    row("users", "retention", users.retention.map(|it| it.to_string()));
    row("users", "exchanges per user", users.exchanges_per_user.map(|it| it.to_string()));
    row("revenue", "by original price", Some(money(revenue.exchanged_cents)));
    row("revenue", "returned", Some(money(revenue.returned_cents)));
    let sign = if revenue.net_cents < 0 { "-" } else { "" };
    row("revenue", "net", Some(format!("{sign}{}", money(revenue.net_cents.unsigned_abs()))));
    row("revenue", "units without a price", count(revenue.units_without_price));
    let TurnoverFigures { stock_at_begin, stock_at_end, rate } = turnover;
    row("stock", "at the begin", Some(stock_at_begin.to_string()));
    row("stock", "at the end", Some(stock_at_end.to_string()));
    row("stock", "turnover", rate.map(|it| it.to_string()));
    row("products", "moved", count(report.products_count));
    rows
}

/// The table for spreadsheets.
pub(super) fn csv(report: &Report) -> String {
    let mut table = "about,item,figure,value\r\n".to_owned();
    let head = |figure, value: String| Row { about: "report", item: String::new(), figure, value };
    let over = if report.is_over { "yes" } else { "no" };
    let heads = [
        head(report.span.name(), report.period.clone()),
        head("time zone", report.time_zone.clone()),
        head("from ms", report.from.to_string()),
        head("to ms", report.to.to_string()),
        head("over", over.to_owned()),
    ];
    let left_out = report.left_out.iter().map(|it| Row {
        about: "left out",
        item: it.figure.clone(),
        figure: "why",
        value: it.why.clone(),
    });
    let all = heads.into_iter().chain(totals(report));
    let all = all.chain(report.products.iter().flat_map(product));
    let all = all.chain(report.course.iter().flat_map(|slot| {
        let row = |figure, value: u64| Row {
            about: "course",
            item: slot.name.clone(),
            figure,
            value: value.to_string(),
        };
        [row("exchanges", slot.exchanges), row("points consumed", slot.points_consumed)]
    }));
    for Row { about, item, figure, value } in all.chain(left_out) {
        // A number is none of the texts that a spreadsheet would take for a formula.
        let value = if value.parse::<f64>().is_ok() { value.into() } else { csv_field(&value) };
        table.push_str(&[about.into(), csv_field(&item), figure.into(), value].join(","));
        table.push_str("\r\n");
    }
    table
}

fn product(it: &ProductFigures) -> Vec<Row> {
    let row = |figure, value: String| Row { about: "product", item: it.id.clone(), figure, value };
    let name = it.name.clone().map(|name| row("name", name));
    let rate = it.turnover.rate.map(|rate| row("turnover", rate.to_string()));
    let counts = [
        row("exchanges", it.exchanges.to_string()),
        row("units", it.units.to_string()),
        row("points", it.points.to_string()),
        row("units returned", it.units_returned.to_string()),
    ];
    name.into_iter().chain(counts).chain(rate).collect()
}

/// Hundredths as people write them.
pub(super) fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
