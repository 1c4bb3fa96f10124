//! A report as rows of figures: what it is about, what is counted, and how much it is.

use crate::http::csv_field;
use crate::mall::{AnswerFigures, Asking, LONGEST_MS, ProductFigures, Report, TurnoverFigures};

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
    if let Some(it) = &report.conversion {
        row("conversion", "views", count(it.views));
        row("conversion", "viewers", count(it.viewers));
        row("conversion", "views not recorded", count(it.views_dropped));
        let ratio = |ratio: Option<f64>| ratio.map(|it| it.to_string());
        row("conversion", "exchanges per view", ratio(it.exchanges_per_view));
        row("conversion", "exchanging per viewer", ratio(it.exchanging_per_viewer));
    }
    if let Some(service) = &report.service {
        rows.extend(answers("answers", "", &service.all));
    }
    rows
}

/// How answers went, as figures of `about`.
fn answers(about: &'static str, item: &str, it: &AnswerFigures) -> Vec<Row> {
    let AnswerFigures { requests, refused, failed, error_rate, p50_ms, p95_ms, p99_ms } = it;
    let within = |figure, ms: &Option<u64>| {
        // Of no answers there is no time, and of some there is none that bounds it.
        let beyond = (*requests > 0).then(|| format!("over {LONGEST_MS}"));
        (figure, ms.map(|ms| ms.to_string()).or(beyond))
    };
    let all = [
        ("requests", Some(requests.to_string())),
        ("refused", Some(refused.to_string())),
        ("failed", Some(failed.to_string())),
        ("error rate", error_rate.map(|it| it.to_string())),
        within("p50 ms", p50_ms),
        within("p95 ms", p95_ms),
        within("p99 ms", p99_ms),
    ];
    let row = |(figure, value): (&'static str, Option<String>)| {
        value.map(|value| Row { about, item: item.to_owned(), figure, value })
    };
    all.into_iter().filter_map(row).collect()
}

/// The name of what was asked for, as it is written.
pub(super) fn kind_name(kind: Asking) -> &'static str {
    match kind {
        Asking::Exchange => "exchange",
        Asking::Orders => "orders",
        Asking::Catalogue => "catalogue",
        Asking::Points => "points",
        Asking::Operators => "operators",
        Asking::Ledger => "ledger",
    }
}

/// The figures of each kind of answer.
pub(super) fn kinds(report: &Report) -> Vec<Row> {
    let kinds = report.service.iter().flat_map(|service| &service.by_kind);
    kinds.flat_map(|it| answers("answers", kind_name(it.kind), &it.answers)).collect()
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
    let all = heads.into_iter().chain(totals(report)).chain(kinds(report));
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
    let views = it.views.map(|views| row("views", views.to_string()));
    let per_view = it.exchanges_per_view.map(|it| row("exchanges per view", it.to_string()));
    let counts = [
        row("exchanges", it.exchanges.to_string()),
        row("units", it.units.to_string()),
        row("points", it.points.to_string()),
        row("units returned", it.units_returned.to_string()),
    ];
    name.into_iter().chain(counts).chain(rate).chain(views).chain(per_view).collect()
}

/// Hundredths as people write them.
pub(super) fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
