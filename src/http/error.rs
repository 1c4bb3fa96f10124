//! What can go wrong with a request: the error codes, and the one place that maps errors to them.

use std::borrow::Cow;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::HeaderValue;
use serde::Serialize;

use crate::base::TimeMs;
use crate::base::error::{Error, ErrorKind};
use crate::mall::{Failure, Shortage};

/// The stable codes. `docs/api.md` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    InvalidRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    ProductNotFound,
    OrderNotFound,
    MethodNotAllowed,
    NotAcceptable,
    RequestTimeout,
    OutOfStock,
    InsufficientPoints,
    LimitExceeded,
    OrderState,
    ReservationExpired,
    PayloadTooLarge,
    UnsupportedMediaType,
    IdempotencyConflict,
    TooManyKeys,
    RateLimited,
    Internal,
    LowSpace,
    Overloaded,
    DiskStalled,
    OutcomeUnknown,
    Unavailable,
}

impl Code {
    pub(super) fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::InvalidRequest => (StatusCode::BAD_REQUEST, "INVALID_REQUEST", "请求无效"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "未登录或令牌无效"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "FORBIDDEN", "没有权限"),
            Self::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND", "接口不存在"),
            Self::ProductNotFound => (StatusCode::NOT_FOUND, "PRODUCT_NOT_FOUND", "商品不存在"),
            Self::OrderNotFound => (StatusCode::NOT_FOUND, "ORDER_NOT_FOUND", "订单不存在"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "请求方法不支持")
            }
            Self::NotAcceptable => {
                (StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", "无法按要求的格式响应")
            }
            Self::RequestTimeout => {
                (StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "请求接收超时")
            }
            Self::OutOfStock => (StatusCode::CONFLICT, "OUT_OF_STOCK", "库存不足"),
            Self::InsufficientPoints => (StatusCode::CONFLICT, "INSUFFICIENT_POINTS", "积分不足"),
            Self::LimitExceeded => (StatusCode::CONFLICT, "LIMIT_EXCEEDED", "超出兑换限额"),
            Self::OrderState => (StatusCode::CONFLICT, "ORDER_STATE", "订单状态不允许此操作"),
            Self::ReservationExpired => (StatusCode::GONE, "RESERVATION_EXPIRED", "订单已过期"),
            Self::PayloadTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", "请求内容过大")
            }
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", "请求内容格式不支持")
            }
            Self::IdempotencyConflict => {
                (StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_CONFLICT", "幂等键已用于不同的请求")
            }
            Self::TooManyKeys => {
                (StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_KEYS", "幂等键过多，请稍后重试")
            }
            Self::RateLimited => {
                (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", "请求过于频繁，请稍后重试")
            }
            Self::LowSpace => {
                (StatusCode::INSUFFICIENT_STORAGE, "LOW_SPACE", "存储空间不足，暂停新的兑换")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "服务内部错误"),
            Self::Overloaded => {
                (StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED", "系统繁忙，请稍后重试")
            }
            Self::DiskStalled => (
                StatusCode::SERVICE_UNAVAILABLE,
                "DISK_STALLED",
                "存储暂无响应，请求未执行，请稍后重试",
            ),
            Self::OutcomeUnknown => (
                StatusCode::SERVICE_UNAVAILABLE,
                "OUTCOME_UNKNOWN",
                "存储暂无响应，请求结果未知，请使用相同的幂等键重试",
            ),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "服务暂不可用"),
        }
    }
}

/// What a refusal found, for the client to act on.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShortageWire {
    required: u64,
    available: u64,
    next_release_at: Option<TimeMs>,
}

/// A request that did not succeed.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) code: Code,
    /// Follows the code's own message.
    pub(super) detail: Option<Cow<'static, str>>,
    pub(super) shortage: Option<ShortageWire>,
    /// For 405: what would be allowed.
    pub(super) allow: Option<HeaderValue>,
    /// After how many seconds the request may succeed, where that is known.
    pub(super) retry_after_s: Option<u64>,
}

impl ApiError {
    pub(super) fn new(code: Code) -> Self {
        Self { code, detail: None, shortage: None, allow: None, retry_after_s: None }
    }

    pub(super) fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidRequest).detail(detail)
    }

    pub(super) fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(super) fn method_not_allowed(allow: HeaderValue) -> Self {
        Self { allow: Some(allow), ..Self::new(Code::MethodNotAllowed) }
    }

    /// Too much of a user, who may ask again after `wait`.
    pub(super) fn rate_limited(wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        Self { retry_after_s: u64::try_from(seconds).ok(), ..Self::new(Code::RateLimited) }
    }

    fn short(code: Code, shortage: Shortage) -> Self {
        let Shortage { required, available, next_release_at } = shortage;
        Self {
            shortage: Some(ShortageWire { required, available, next_release_at }),
            ..Self::new(code)
        }
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
            // The cause stays in the log: it may name files.
            kind => {
                tracing::error!(error = %error, ?kind, "a request failed");
                Self::new(if kind == ErrorKind::Corrupt {
                    Code::Internal
                } else {
                    Code::Unavailable
                })
            }
        }
    }
}

/// The one place where the mall's refusals become codes.
impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::ProductNotFound => Self::new(Code::ProductNotFound),
            Failure::OrderNotFound => Self::new(Code::OrderNotFound),
            Failure::OutOfStock(shortage) => Self::short(Code::OutOfStock, shortage),
            Failure::InsufficientPoints(shortage) => {
                Self::short(Code::InsufficientPoints, shortage)
            }
            Failure::LimitExceeded(shortage) => Self::short(Code::LimitExceeded, shortage),
            Failure::OrderState(state) => Self::new(Code::OrderState).detail(state.name()),
            Failure::Expired => Self::new(Code::ReservationExpired),
            Failure::Unknown => Self::new(Code::OutcomeUnknown),
            Failure::Engine(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_documented_with_its_status() {
        let documented = include_str!("../../docs/api.md");
        for code in [
            Code::InvalidRequest,
            Code::Unauthorized,
            Code::Forbidden,
            Code::NotFound,
            Code::ProductNotFound,
            Code::OrderNotFound,
            Code::MethodNotAllowed,
            Code::NotAcceptable,
            Code::RequestTimeout,
            Code::OutOfStock,
            Code::InsufficientPoints,
            Code::LimitExceeded,
            Code::OrderState,
            Code::ReservationExpired,
            Code::PayloadTooLarge,
            Code::UnsupportedMediaType,
            Code::IdempotencyConflict,
            Code::TooManyKeys,
            Code::RateLimited,
            Code::Internal,
            Code::LowSpace,
            Code::Overloaded,
            Code::DiskStalled,
            Code::OutcomeUnknown,
            Code::Unavailable,
        ] {
            let (status, name, _) = code.parts();
            let row = format!("| `{name}` | {} |", status.as_u16());
            assert!(documented.contains(&row), "docs/api.md has no row {row}");
        }
    }

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
            assert_eq!(ApiError::from(error).code.parts().0.as_u16(), status, "{kind:?}");
        }
    }
}
