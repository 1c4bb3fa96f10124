//! What a report says. Each figure is of the day on which it happened: what is given back later is a
//! figure of that later day.

use serde::{Deserialize, Serialize};

use super::period::Span;
use crate::base::TimeMs;
use crate::mall::browsing::DayOfViews;
use crate::mall::facts::{Answered, Asking, DayTotals, Served};

/// The figures of a day or of a week. Times are in milliseconds since 1970, money in hundredths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) span: Span,
    /// As in `2026-11-28`, or `2026-W48`.
    pub(crate) period: String,
    pub(crate) time_zone: String,
    pub(crate) from: TimeMs,
    /// The first moment after it.
    pub(crate) to: TimeMs,
    /// Whether nothing can come to it any more.
    pub(crate) is_over: bool,
    /// Where it is not over: until when its figures are.
    pub(crate) as_of: Option<TimeMs>,
    pub(crate) orders: OrderFigures,
    pub(crate) units: UnitFigures,
    pub(crate) points: PointFigures,
    pub(crate) users: UserFigures,
    pub(crate) revenue: RevenueFigures,
    pub(crate) turnover: TurnoverFigures,
    /// Where any view is on record.
    #[serde(default)]
    pub(crate) conversion: Option<ConversionFigures>,
    /// Where any answer is on record.
    #[serde(default)]
    pub(crate) service: Option<ServiceFigures>,
    /// How many products were exchanged or came back.
    pub(crate) products_count: u64,
    /// Those that were exchanged most, at most [`PRODUCTS_MAX`].
    pub(crate) products: Vec<ProductFigures>,
    /// By hour of a day, by day of a week.
    pub(crate) course: Vec<SlotFigures>,
    /// What there is no figure of, and why.
    pub(crate) left_out: Vec<LeftOut>,
}

/// How many products a report names.
pub(crate) const PRODUCTS_MAX: usize = 20;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderFigures {
    pub(crate) made: u64,
    /// Orders that were confirmed, at once or later.
    pub(crate) exchanged: u64,
    /// Given up before they were confirmed.
    pub(crate) cancelled: u64,
    pub(crate) expired: u64,
    /// How often something of a confirmed order was given back, whenever it was exchanged.
    pub(crate) refunds: u64,
    /// How many of these left nothing of their order.
    pub(crate) refunded_whole: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnitFigures {
    pub(crate) exchanged: u64,
    pub(crate) returned: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PointFigures {
    pub(crate) consumed: u64,
    pub(crate) returned: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserFigures {
    /// Who exchanged something.
    pub(crate) exchanging: u64,
    /// Of these, who never had before; and the others.
    pub(crate) new: Option<u64>,
    pub(crate) returning: Option<u64>,
    /// Who exchanged something in the day or week before, and how many of these did again.
    pub(crate) before: Option<u64>,
    pub(crate) retained: Option<u64>,
    /// The retained of those before; nothing where there were none.
    pub(crate) retention: Option<f64>,
    pub(crate) exchanges_per_user: Option<f64>,
}

/// What the units cost elsewhere, by the original price that each order kept of its products.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RevenueFigures {
    pub(crate) exchanged_cents: u64,
    pub(crate) returned_cents: u64,
    pub(crate) net_cents: i64,
    /// Units that were exchanged or returned, and have no original price on record.
    pub(crate) units_without_price: u64,
}

/// How fast stock goes: the units that were exchanged, to the mean of what was for sale at the begin
/// and at the end, of products whose stock changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TurnoverFigures {
    pub(crate) stock_at_begin: i64,
    pub(crate) stock_at_end: i64,
    pub(crate) rate: Option<f64>,
}

impl TurnoverFigures {
    pub(super) fn of(units: u64, stock_at_begin: i64, stock_at_end: i64) -> Self {
        let stock = stock_at_begin.max(0).saturating_add(stock_at_end.max(0));
        let rate = ratio(units.saturating_mul(2), stock.unsigned_abs());
        Self { stock_at_begin, stock_at_end, rate }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductFigures {
    pub(crate) id: String,
    /// As the first order of the period that knows it has it.
    pub(crate) name: Option<String>,
    /// Exchanges that it was in.
    pub(crate) exchanges: u64,
    pub(crate) units: u64,
    pub(crate) points: u64,
    pub(crate) units_returned: u64,
    pub(crate) turnover: TurnoverFigures,
    /// How often it was looked at, where that is on record.
    #[serde(default)]
    pub(crate) views: Option<u64>,
    /// Its exchanges, to each view.
    #[serde(default)]
    pub(crate) exchanges_per_view: Option<f64>,
}

/// How many looked, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConversionFigures {
    /// Products were looked at so often, by whomever.
    pub(crate) views: u64,
    /// By users of whom it is known, each once a day.
    pub(crate) viewers: u64,
    /// Views that were not recorded, as too many came at once.
    pub(crate) views_dropped: u64,
    /// Exchanges, to each view.
    pub(crate) exchanges_per_view: Option<f64>,
    /// Users who exchanged, to each who looked; of a day alone.
    pub(crate) exchanging_per_viewer: Option<f64>,
}

impl ConversionFigures {
    pub(super) fn of(days: &[DayOfViews], is_day: bool, exchanges: u64, exchanging: u64) -> Self {
        let sum = |of: fn(&DayTotals) -> u64| {
            days.iter().fold(0_u64, |sum, day| sum.saturating_add(of(&day.totals)))
        };
        let (views, viewers) = (sum(|it| it.views), sum(|it| it.viewers));
        Self {
            views,
            viewers,
            views_dropped: sum(|it| it.dropped),
            exchanges_per_view: ratio(exchanges, views),
            exchanging_per_viewer: ratio(exchanging, viewers).filter(|_| is_day),
        }
    }
}

/// How the server answered. Times are in milliseconds, and bounds: so many of the answers took no longer.
/// They are nothing where that is more than the longest bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceFigures {
    #[serde(flatten)]
    pub(crate) all: AnswerFigures,
    /// By what was asked for.
    pub(crate) by_kind: Vec<KindFigures>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KindFigures {
    pub(crate) kind: Asking,
    #[serde(flatten)]
    pub(crate) answers: AnswerFigures,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AnswerFigures {
    pub(crate) requests: u64,
    /// Answered with 400 to 499.
    pub(crate) refused: u64,
    /// Answered with 500 or more.
    pub(crate) failed: u64,
    /// The failed, to each request.
    pub(crate) error_rate: Option<f64>,
    pub(crate) p50_ms: Option<u64>,
    pub(crate) p95_ms: Option<u64>,
    pub(crate) p99_ms: Option<u64>,
}

impl ServiceFigures {
    pub(super) fn of(served: &Served) -> Self {
        let mut all = Answered::default();
        served.answered.values().for_each(|answered| all.add(answered));
        let by_kind = served.answered.iter().map(|(kind, answered)| KindFigures {
            kind: *kind,
            answers: AnswerFigures::of(answered),
        });
        Self { all: AnswerFigures::of(&all), by_kind: by_kind.collect() }
    }
}

impl AnswerFigures {
    fn of(answered: &Answered) -> Self {
        let (requests, Answered { refused, failed, .. }) = (answered.requests(), *answered);
        Self {
            requests,
            refused,
            failed,
            error_rate: ratio(failed, requests),
            p50_ms: answered.within_ms(500),
            p95_ms: answered.within_ms(950),
            p99_ms: answered.within_ms(990),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SlotFigures {
    pub(crate) from: TimeMs,
    /// As in `09:00`, or `2026-11-28`.
    pub(crate) name: String,
    pub(crate) exchanges: u64,
    pub(crate) points_consumed: u64,
}

/// A figure that there is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeftOut {
    pub(crate) figure: String,
    pub(crate) why: String,
}

/// A ratio to four places; none of nothing.
pub(super) fn ratio(of: u64, to: u64) -> Option<f64> {
    let scaled = (u128::from(of) * 10_000 + u128::from(to) / 2).checked_div(u128::from(to))?;
    Some(scaled as f64 / 10_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_rounded_and_none_of_nothing() {
        for (of, to, want) in
            [(1, 3, Some(0.3333)), (2, 3, Some(0.6667)), (0, 5, Some(0.0)), (1, 0, None)]
        {
            assert_eq!(ratio(of, to), want, "{of} {to}");
        }
        assert_eq!(TurnoverFigures::of(6, 10, 2).rate, Some(1.0));
    }
}
