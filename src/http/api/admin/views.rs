//! How often products were looked at in a day.

use serde::Serialize;

use crate::http::call::OperatorCall;
use crate::http::query;
use crate::http::reply::Answer;
use crate::mall::facts::{DayTotals, Views};
use crate::mall::{ReportPeriod, Span};

const LIMIT: u64 = 100;
const LIMIT_MAX: u64 = 1_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DayWire<'a> {
    day: &'a str,
    time_zone: &'a str,
    #[serde(flatten)]
    totals: DayTotals,
    /// How many products were looked at, and are told apart.
    products_count: usize,
    /// Those that were looked at most, most first.
    products: Vec<ProductWire<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProductWire<'a> {
    product_id: &'a str,
    views: u64,
    viewers: u64,
}

pub(in crate::http) async fn of_day(call: OperatorCall<'_>) -> Answer {
    let mall = &call.app.mall;
    let (mut day, mut limit) = (None, LIMIT);
    for (name, value) in call.query()? {
        match name.as_str() {
            "date" => day = Some(ReportPeriod::parse(Span::Daily, &value, mall.zone())?),
            "limit" => limit = query::number(&name, &value, 1..=LIMIT_MAX)?,
            _ => return Err(query::unknown(&name)),
        }
    }
    let day = day.map_or_else(|| ReportPeriod::day_at(mall.now_ms(), mall.zone()), Ok)?;
    let views = mall.views_of_day(&day.name)?.unwrap_or_default();
    let mut products: Vec<(&str, Views)> =
        views.products.iter().map(|(id, views)| (id.as_str(), *views)).collect();
    products.sort_by_key(|(id, views)| (std::cmp::Reverse(views.views), *id));
    products.truncate(limit as usize);
    let product =
        |(product_id, Views { views, viewers })| ProductWire { product_id, views, viewers };
    let shown = products.into_iter().map(product);
    Ok(call.success(&DayWire {
        day: &day.name,
        time_zone: day.zone.name(),
        totals: views.totals,
        products_count: views.products.len(),
        products: shown.collect(),
    }))
}
