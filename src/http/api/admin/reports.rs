//! What happened in a day, or in a week. Reports are added up beside the threads that sell, and beside
//! the lists that operators page through.

use crate::http::call::OperatorCall;
use crate::http::error::ApiError;
use crate::http::query;
use crate::http::reply::{Answer, success};
use crate::mall::{ReportPeriod, Span};

/// Of a day.
pub(in crate::http) async fn daily(call: OperatorCall<'_>) -> Answer {
    report(call, Span::Daily, "date").await
}

/// Of a week.
pub(in crate::http) async fn weekly(call: OperatorCall<'_>) -> Answer {
    report(call, Span::Weekly, "week").await
}

async fn report(call: OperatorCall<'_>, span: Span, parameter: &str) -> Answer {
    let mut period = None;
    for (name, value) in call.query()? {
        if name != parameter {
            return Err(query::unknown(&name));
        }
        period = Some(ReportPeriod::parse(span, &value, call.app.mall.zone())?);
    }
    let period = period.ok_or_else(|| {
        let example = match span {
            Span::Daily => "2026-11-28",
            Span::Weekly => "2026-W48",
        };
        ApiError::invalid(format!("{parameter} must be there, as in {parameter}={example}"))
    })?;
    call.app.mall.show_records().await?;
    let (mall, format) = (call.app.mall.clone(), call.format);
    let make = move || Ok(success(format, &mall.report(&period)?, mall.now_ms()));
    call.app.reports.run(make).await
}
