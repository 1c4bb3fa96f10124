//! What can go wrong with a request, and the one place that maps errors to codes.

use std::borrow::Cow;
use std::time::Duration;

use hyper::header::HeaderValue;
use serde::Serialize;

pub(super) use super::code::Code;
use crate::base::TimeMs;
use crate::base::error::{Error, ErrorKind};
use crate::mall::model::Violation;
use crate::mall::{Failure, Lack, Line, References, Short, Shortage};
use crate::webhooks::Refusal;
use crate::wire::Found;

/// What a refusal found, for the client to act on.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShortageWire {
    required: u64,
    available: u64,
    next_release_at: Option<TimeMs>,
    /// Where one can wait for what is sold out, or others do.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_list: Option<WaitingListWire>,
}

/// That there is a line, and how to join it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WaitingListWire {
    others_wait: bool,
    /// Null where nobody joins any more.
    join: Option<String>,
}

/// What a refusal of a basket found: the first line that was short, and each of them.
#[derive(Clone, Debug, Serialize)]
pub(super) struct BasketWire {
    #[serde(flatten)]
    first: ShortageWire,
    lines: Vec<ShortLineWire>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShortLineWire {
    code: &'static str,
    /// Null for points, and for the limit of orders that wait.
    product_id: Option<String>,
    #[serde(flatten)]
    short: ShortageWire,
}

/// What a failure says besides its code, for the client to act on.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum FailureWire {
    Shortage(ShortageWire),
    Basket(BasketWire),
    References(References),
    Found(Found),
    Opening(OpeningWire),
}

/// When the sale of a product begins.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OpeningWire {
    pub(super) sale_starts_at: TimeMs,
}

/// A request that did not succeed.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) code: Code,
    /// Follows the code's own message.
    pub(super) detail: Option<Cow<'static, str>>,
    pub(super) data: Option<Box<FailureWire>>,
    /// For 405: what would be allowed.
    pub(super) allow: Option<HeaderValue>,
    /// After how many seconds the request may succeed, where that is known.
    pub(super) retry_after_s: Option<u64>,
    /// For how long the answer is held back.
    pub(super) held_back: Duration,
}

impl ApiError {
    pub(super) fn new(code: Code) -> Self {
        Self {
            code,
            detail: None,
            data: None,
            allow: None,
            retry_after_s: None,
            held_back: Duration::ZERO,
        }
    }

    pub(super) fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidRequest).detail(detail)
    }

    pub(super) fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(super) fn held_back(self, held_back: Duration) -> Self {
        Self { held_back, ..self }
    }

    /// Resolves when it is to be told.
    pub(super) async fn hold_back(&self) {
        if !self.held_back.is_zero() {
            tokio::time::sleep(self.held_back).await;
        }
    }

    pub(super) fn with(code: Code, data: FailureWire) -> Self {
        Self { data: Some(Box::new(data)), ..Self::new(code) }
    }

    pub(super) fn method_not_allowed(allow: HeaderValue) -> Self {
        Self { allow: Some(allow), ..Self::new(Code::MethodNotAllowed) }
    }

    /// Too much of a user, who may ask again after `wait`.
    pub(super) fn rate_limited(wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        Self { retry_after_s: u64::try_from(seconds).ok(), ..Self::new(Code::RateLimited) }
    }

    /// A failure whose cause stays in the log: it may name files.
    fn logged(code: Code, error: &Error) -> Self {
        tracing::error!(error = %error, kind = ?error.kind(), "a request failed");
        Self::new(code)
    }

    fn short(code: Code, shortage: Shortage) -> Self {
        Self::with(code, FailureWire::Shortage(shortage.into()))
    }

    fn basket(short: Vec<Short>) -> Self {
        let Some(first) = short.first() else {
            return Self::new(Code::OutOfStock);
        };
        let (code, first) = (lacking(first.lack), first.shortage.clone().into());
        let line = |it: Short| ShortLineWire {
            code: lacking(it.lack).row().name,
            product_id: it.product_id,
            short: it.shortage.into(),
        };
        let lines = short.into_iter().map(line).collect();
        Self::with(code, FailureWire::Basket(BasketWire { first, lines }))
    }
}

impl ShortageWire {
    /// When more may come, where that is known.
    pub(super) fn next_release_at(&self) -> Option<TimeMs> {
        self.next_release_at
    }
}

impl From<Shortage> for ShortageWire {
    fn from(shortage: Shortage) -> Self {
        let Shortage { required, available, next_release_at, line } = shortage;
        Self { required, available, next_release_at, waiting_list: line.map(Into::into) }
    }
}

impl From<Line> for WaitingListWire {
    fn from(Line { product_id, others_wait, may_join }: Line) -> Self {
        // No character of an id has another meaning in a path.
        let join = || format!("POST /api/mall/products/{product_id}/waiting-list");
        Self { others_wait, join: may_join.then(join) }
    }
}

pub(super) fn lacking(lack: Lack) -> Code {
    match lack {
        Lack::Points => Code::InsufficientPoints,
        Lack::Limit => Code::LimitExceeded,
        Lack::Stock => Code::OutOfStock,
    }
}

/// The one place where the engine's errors become codes.
impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Invalid => Self::invalid(error.to_string()),
            ErrorKind::Conflict => Self::new(Code::IdempotencyConflict),
            ErrorKind::Throttled => {
                let retry_after_s = error.retry_after_ms().map(|ms| ms.div_ceil(1000).max(1));
                Self { retry_after_s, ..Self::new(Code::TooManyKeys).detail(error.to_string()) }
            }
            ErrorKind::NotFound => Self::new(Code::NotFound).detail(error.to_string()),
            ErrorKind::Overloaded => Self::new(Code::Overloaded).detail(error.to_string()),
            ErrorKind::LowSpace => Self::new(Code::LowSpace).detail(error.to_string()),
            ErrorKind::Stalled => Self::new(Code::DiskStalled).detail(error.to_string()),
            ErrorKind::Corrupt => Self::logged(Code::Internal, &error),
            ErrorKind::Unavailable
            | ErrorKind::Poisoned
            | ErrorKind::AlreadyOpen
            | ErrorKind::Closed => Self::logged(Code::Unavailable, &error),
        }
    }
}

/// What is wrong with a field is told with its path.
impl From<Violation> for ApiError {
    fn from(violation: Violation) -> Self {
        Self::invalid(violation.to_string())
    }
}

/// The one place where the mall's refusals become codes.
impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::ProductNotFound => Self::new(Code::ProductNotFound),
            Failure::OrderNotFound => Self::new(Code::OrderNotFound),
            Failure::AlertNotFound => {
                Self::new(Code::NotFound).detail("there is no such alert (any more)")
            }
            Failure::RevocationNotFound => {
                Self::new(Code::NotFound).detail("no tokens of this user are revoked")
            }
            Failure::TooManyFavourites => Self::new(Code::TooManyFavourites),
            Failure::CategoryNotFound => Self::new(Code::CategoryNotFound),
            Failure::Exists => Self::new(Code::AlreadyExists),
            Failure::Changed => Self::new(Code::PreconditionFailed),
            Failure::InUse(references) => {
                Self::with(Code::InUse, FailureWire::References(references))
            }
            Failure::SaleNotStarted(sale_starts_at) => {
                let opening = OpeningWire { sale_starts_at };
                Self::with(Code::SaleNotStarted, FailureWire::Opening(opening))
            }
            Failure::OutOfStock(shortage) => Self::short(Code::OutOfStock, shortage),
            Failure::InsufficientPoints(shortage) => {
                Self::short(Code::InsufficientPoints, shortage)
            }
            Failure::TooManyLots(why) => Self::new(Code::TooManyLots).detail(why),
            Failure::LimitExceeded(shortage) => Self::short(Code::LimitExceeded, shortage),
            Failure::BasketShort(short) => Self::basket(short),
            Failure::NoLine => Self::new(Code::NoWaitingList),
            Failure::LineFull => Self::new(Code::WaitingListFull),
            Failure::InStock => Self::new(Code::InStock),
            Failure::OrderStatus(status) => Self::new(Code::OrderState).detail(status.name()),
            Failure::WaitsTooLong(until) => Self::new(Code::OrderState)
                .detail(format!("the order may wait until {until} at most")),
            Failure::CancelWindow => {
                Self::new(Code::OrderState).detail("the time to cancel a confirmed order is over")
            }
            Failure::LeftToReturn(left) => {
                Self::new(Code::OrderState).detail(format!("{left} units are left to give back"))
            }
            Failure::TooManyChanges => {
                Self::new(Code::OrderState).detail("the order was changed too often")
            }
            Failure::Expired => Self::new(Code::ReservationExpired),
            Failure::PaidTooLate => Self::new(Code::PaymentTooLate),
            Failure::PointsUnavailable => Self::new(Code::PointsUnavailable),
            Failure::PointsElsewhere => Self::new(Code::PointsElsewhere),
            Failure::SagaNotFound => {
                Self::new(Code::NotFound).detail("no saga of this order waits (any more)")
            }
            Failure::Unknown => Self::new(Code::OutcomeUnknown),
            Failure::Engine(error) => error.into(),
        }
    }
}

/// The one place where refusals about receivers of webhooks become codes.
impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => Self::new(Code::WebhookNotFound),
            Refusal::Exists => Self::new(Code::AlreadyExists),
            Refusal::Engine(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_has_a_status() {
        for (error, status) in [
            (Error::invalid("x"), 400),
            (Error::conflict("x"), 422),
            (Error::not_found("x"), 404),
            (Error::overloaded("x"), 503),
            (Error::stalled("x"), 503),
            (Error::low_space("x"), 507),
            (Error::unavailable("x"), 503),
            (Error::closed(), 503),
            (Error::poisoned("x"), 503),
            (Error::throttled("x", 1), 429),
            (Error::already_open("x"), 503),
            (Error::corrupt("x"), 500),
        ] {
            let kind = error.kind();
            assert_eq!(ApiError::from(error).code.row().status.as_u16(), status, "{kind:?}");
        }
    }
}
