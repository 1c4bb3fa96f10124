//! The stable codes of the API, one row each.
//!
//! `error.rs` maps every error to one of them; `docs/api.md` and `docs/openapi.json` are held to
//! the table by tests.

#[cfg(test)]
mod tests;

use hyper::StatusCode;

/// The code and the message of what went well.
pub(super) const SUCCESS: (&str, &str) = ("SUCCESS", "操作成功");

/// What a code tells the client.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) status: StatusCode,
    /// For people.
    pub(super) message: &'static str,
    pub(super) effect: Effect,
    pub(super) again: Again,
    pub(super) besides: Besides,
    /// When it comes, in English.
    pub(super) when: &'static str,
}

/// What the request changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Nothing,
    /// The outcome is not known yet. Asked again with the same key, it acts once.
    Unknown,
}

/// Whether the same request may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// Another request might.
    No,
    Yes,
    /// `Retry-After` says these seconds.
    In(u64),
    /// `Retry-After` says when, as far as that is known.
    WhenTold,
}

/// What else an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Besides {
    Nothing,
    /// `WWW-Authenticate`.
    Challenge,
    /// `Allow`, which the error brings along.
    Methods,
    /// `Connection: close`: the rest of the body is not waited for.
    Close,
}

/// A row is: variant and name, status, message; effect, whether to ask again, and what else the
/// answer has; when it comes.
macro_rules! codes {
    ($($code:ident $name:literal $status:ident $message:literal
        $effect:ident, $again:expr, $besides:ident, $when:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Code { $($code),* }

        /// In the order of the variants: each is at the place that its number says.
        pub(super) const CODES: &[Code] = &[$(Code::$code),*];

        impl Code {
            pub(super) const fn row(self) -> &'static Row {
                use Again::{In, No, WhenTold, Yes};
                match self {
                    $(Self::$code => &Row {
                        name: $name,
                        status: StatusCode::$status,
                        message: $message,
                        effect: Effect::$effect,
                        again: $again,
                        besides: Besides::$besides,
                        when: $when,
                    }),*
                }
            }
        }
    };
}

codes! {
    InvalidRequest "INVALID_REQUEST" BAD_REQUEST "请求无效"
        Nothing, No, Nothing, "a body, a parameter or a key that is not as described here";
    Unauthorized "UNAUTHORIZED" UNAUTHORIZED "未登录或令牌无效"
        Nothing, No, Challenge, "no token, or none that is good now; with `WWW-Authenticate`";
    Forbidden "FORBIDDEN" FORBIDDEN "没有权限"
        Nothing, No, Nothing, "the token's role may not do this";
    MallAccount "MALL_ACCOUNT" FORBIDDEN "商城账户只能通过商城接口变更"
        Nothing, No, Nothing, "the mall keeps the account: it can be seen here, and is changed through the mall alone";
    NotFound "NOT_FOUND" NOT_FOUND "接口不存在"
        Nothing, No, Nothing, "no such path";
    ProductNotFound "PRODUCT_NOT_FOUND" NOT_FOUND "商品不存在"
        Nothing, No, Nothing, "no such product, or it is not for sale";
    CategoryNotFound "CATEGORY_NOT_FOUND" NOT_FOUND "分类不存在"
        Nothing, No, Nothing, "no such category";
    OrderNotFound "ORDER_NOT_FOUND" NOT_FOUND "订单不存在"
        Nothing, No, Nothing, "no such order of this user";
    AccountNotFound "ACCOUNT_NOT_FOUND" NOT_FOUND "账户不存在"
        Nothing, No, Nothing, "no such account, or it is closed";
    ReservationNotFound "RESERVATION_NOT_FOUND" NOT_FOUND "预留不存在"
        Nothing, No, Nothing, "no such reservation";
    WebhookNotFound "WEBHOOK_NOT_FOUND" NOT_FOUND "Webhook 接收方不存在"
        Nothing, No, Nothing, "no such receiver of webhooks";
    MethodNotAllowed "METHOD_NOT_ALLOWED" METHOD_NOT_ALLOWED "请求方法不支持"
        Nothing, No, Methods, "the path takes other methods; with `Allow`";
    NotAcceptable "NOT_ACCEPTABLE" NOT_ACCEPTABLE "无法按要求的格式响应"
        Nothing, No, Nothing, "`Accept` takes nothing that this can be answered in";
    RequestTimeout "REQUEST_TIMEOUT" REQUEST_TIMEOUT "请求接收超时"
        Nothing, Yes, Close, "the body did not come in time; the connection is closed";
    SaleNotStarted "SALE_NOT_STARTED" CONFLICT "尚未开售"
        Nothing, Yes, Nothing, "the sale of the product begins later; `data` says when";
    OutOfStock "OUT_OF_STOCK" CONFLICT "库存不足"
        Nothing, Yes, Nothing, "`data` says what there was, and when more may come";
    InsufficientPoints "INSUFFICIENT_POINTS" CONFLICT "积分不足"
        Nothing, Yes, Nothing, "`data` says what there was, and when more may come";
    TooManyLots "TOO_MANY_LOTS" CONFLICT "有效期不同的积分批次过多"
        Nothing, No, Nothing, "points that are good until too many different days: of a user, or for one request";
    LimitExceeded "LIMIT_EXCEEDED" CONFLICT "超出兑换限额"
        Nothing, Yes, Nothing, "of the product, or of waiting orders; `data` says what there was, and when more may come";
    NoWaitingList "NO_WAITING_LIST" CONFLICT "该商品不支持候补排队"
        Nothing, No, Nothing, "nobody can wait for this product";
    WaitingListFull "WAITING_LIST_FULL" CONFLICT "候补队列已满"
        Nothing, Yes, Nothing, "as many wait for the product as may";
    InStock "IN_STOCK" CONFLICT "商品有货，请直接兑换"
        Nothing, Yes, Nothing, "there are units, and nobody waits: exchange points for one";
    TooManyFavourites "TOO_MANY_FAVOURITES" CONFLICT "收藏数量已达上限"
        Nothing, Yes, Nothing, "the user has as many favourites as one may have: take one out first";
    OrderState "ORDER_STATE" CONFLICT "订单状态不允许此操作"
        Nothing, No, Nothing, "the order is in a state that does not allow it";
    InsufficientUnits "INSUFFICIENT_UNITS" CONFLICT "余量不足"
        Nothing, Yes, Nothing, "an account has too few units; `data` says which, what there was, and when more may come";
    ReservationState "RESERVATION_STATE" CONFLICT "预留状态不允许此操作"
        Nothing, No, Nothing, "the reservation stands where it does not allow it; `data` says where";
    AccountNotEmpty "ACCOUNT_NOT_EMPTY" CONFLICT "账户仍有余量，无法关闭"
        Nothing, Yes, Nothing, "the account cannot be closed; `data` says what is left";
    PointsElsewhere "POINTS_ELSEWHERE" CONFLICT "积分由外部积分服务管理"
        Nothing, No, Nothing, "points are kept elsewhere: move them there";
    AlreadyExists "ALREADY_EXISTS" CONFLICT "已存在"
        Nothing, No, Nothing, "there is one with this id, or an account with other rules";
    InUse "IN_USE" CONFLICT "仍被引用，无法删除"
        Nothing, Yes, Nothing, "`data` says what refers to it";
    ReservationExpired "RESERVATION_EXPIRED" GONE "订单已过期"
        Nothing, No, Nothing, "the deadline of the order or the reservation has passed";
    PaymentTooLate "PAYMENT_TOO_LATE" GONE "付款超过可恢复订单的期限"
        Nothing, No, Nothing, "the order's deadline has passed for longer than `reacquire_window`: give the payment back";
    EventsGone "EVENTS_GONE" GONE "事件已不再保留"
        Nothing, No, Nothing, "the first of the events is no longer kept; `data` says which is the oldest that is";
    PreconditionFailed "PRECONDITION_FAILED" PRECONDITION_FAILED "内容已被他人修改，请刷新后重试"
        Nothing, No, Nothing, "it is not any more as `If-Match` says: another editor was first";
    PayloadTooLarge "PAYLOAD_TOO_LARGE" PAYLOAD_TOO_LARGE "请求内容过大"
        Nothing, No, Close, "the body is too long; the connection is closed";
    UnsupportedMediaType "UNSUPPORTED_MEDIA_TYPE" UNSUPPORTED_MEDIA_TYPE "请求内容格式不支持"
        Nothing, No, Nothing, "a body that is neither JSON nor MessagePack, or compressed";
    IdempotencyConflict "IDEMPOTENCY_CONFLICT" UNPROCESSABLE_ENTITY "幂等键已用于不同的请求"
        Nothing, No, Nothing, "the key was used with another body";
    PreconditionRequired "PRECONDITION_REQUIRED" PRECONDITION_REQUIRED "缺少 If-Match"
        Nothing, No, Nothing, "there is no `If-Match`: read it first";
    TooManyKeys "TOO_MANY_KEYS" TOO_MANY_REQUESTS "幂等键过多，请稍后重试"
        Nothing, WhenTold, Nothing, "the caller has as many idempotency keys as one may have";
    RateLimited "RATE_LIMITED" TOO_MANY_REQUESTS "请求过于频繁，请稍后重试"
        Nothing, WhenTold, Nothing, "too many requests of this user or this address in a minute, or too many bytes";
    Internal "INTERNAL" INTERNAL_SERVER_ERROR "服务内部错误"
        Unknown, Yes, Nothing, "a record of history is damaged; the log says which";
    Overloaded "OVERLOADED" SERVICE_UNAVAILABLE "系统繁忙，请稍后重试"
        Nothing, In(1), Nothing, "a bound was reached, and the message names it";
    DiskStalled "DISK_STALLED" SERVICE_UNAVAILABLE "存储暂无响应，请求未执行，请稍后重试"
        Nothing, In(1), Nothing, "the disk does not answer";
    OutcomeUnknown "OUTCOME_UNKNOWN" SERVICE_UNAVAILABLE "存储暂无响应，请求结果未知，请使用相同的幂等键重试"
        Unknown, In(1), Nothing, "the request is decided, and the disk does not answer";
    PointsUnavailable "POINTS_UNAVAILABLE" SERVICE_UNAVAILABLE "兑换服务暂时不可用，请稍后重试"
        Nothing, In(5), Nothing, "points are kept elsewhere, and that service does not answer";
    Unavailable "UNAVAILABLE" SERVICE_UNAVAILABLE "服务暂不可用"
        Unknown, In(1), Nothing, "the disk failed or the server stops";
    LowSpace "LOW_SPACE" INSUFFICIENT_STORAGE "存储空间不足，暂停新的兑换"
        Nothing, In(60), Nothing, "the disk or history has too little room to sell anything new";
}
