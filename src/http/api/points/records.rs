//! What is on record of points.

use serde::Serialize;

use crate::base::{QUANTITY_MAX, Seq, TimeMs};
use crate::http::call::{Call, Known, UserCall};
use crate::http::error::ApiError;
use crate::http::query;
use crate::http::reply::Answer;
use crate::mall::model::PointsSource;
use crate::mall::{PointsFilter, PointsRecord, User};

const PAGE_SIZE: u64 = 20;
const PAGE_SIZE_MAX: u64 = 100;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordsWire<'a> {
    user_id: &'a str,
    records: Vec<RecordWire<'a>>,
    /// Ask with `before` set to this for the next page; null at the end.
    next_before: Option<Seq>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordWire<'a> {
    seq: Seq,
    /// By how much what can be spent changed.
    points: i64,
    source: &'static str,
    kind: &'static str,
    balance_before: i64,
    balance_after: i64,
    order_id: Option<String>,
    /// Which operator or service; null for what came of an order.
    operator: Option<&'a str>,
    description: &'a str,
    created_at: TimeMs,
}

impl<'a> RecordWire<'a> {
    fn of(record: &'a PointsRecord) -> Self {
        let (change, note, source) = (record.change(), record.note().note, record.source());
        Self {
            seq: change.seq,
            points: change.delta,
            source: source.name(),
            kind: change.kind.name(),
            balance_before: record.balance_before(),
            balance_after: change.available,
            order_id: record.order(),
            operator: note.operator,
            description: record.described(),
            created_at: change.at,
        }
    }
}

pub(in crate::http) async fn list(call: UserCall<'_>) -> Answer {
    list_of(&call, &call.identity().user).await
}

/// Newest first.
pub(in crate::http) async fn list_of<Who: Known, const N: usize>(
    call: &Call<'_, Who, N>,
    user: &User,
) -> Answer {
    let (mut filter, mut before, mut limit) = (PointsFilter::default(), None, PAGE_SIZE);
    let number = |name: &str, value: &str| query::number(name, value, 0..=QUANTITY_MAX);
    for (name, value) in call.query()? {
        match name.as_str() {
            "source" => filter.source = Some(source(&value)?),
            "from" => filter.from = Some(number(&name, &value)?),
            "to" => filter.to = Some(number(&name, &value)?),
            "before" => before = Some(number(&name, &value)?),
            "page_size" => limit = query::number(&name, &value, 1..=PAGE_SIZE_MAX)?,
            _ => return Err(query::unknown(&name)),
        }
    }
    let page = call.app.mall.points_records(user, filter, before, limit as usize).await?;
    Ok(call.success(&RecordsWire {
        user_id: user.id(),
        records: page.records.iter().map(RecordWire::of).collect(),
        next_before: page.next_before,
    }))
}

fn source(name: &str) -> Result<PointsSource, ApiError> {
    PointsSource::named(name).ok_or_else(|| {
        let names: Vec<&str> = PointsSource::ALL.iter().map(|source| source.name()).collect();
        ApiError::invalid(format!("source must be one of {}", names.join(", ")))
    })
}
