//! What a client gets back: the envelope around what was asked for, or around what went wrong.

use std::borrow::Cow;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::error::{ApiError, Code};
use super::format::Format;
use crate::base::TimeMs;

pub(super) type HttpResponse = Response<Full<Bytes>>;
/// What a handler comes to.
pub(super) type Answer = Result<HttpResponse, ApiError>;

/// What every answer of the API looks like.
#[derive(Debug, Serialize)]
pub(super) struct Envelope<'a, T> {
    success: bool,
    code: &'static str,
    message: &'a str,
    data: Option<T>,
    timestamp: TimeMs,
}

/// A failure with its code, its message and its headers.
pub(super) fn failure(error: &ApiError, format: Format, now_ms: TimeMs) -> HttpResponse {
    let (status, code, text) = error.code.parts();
    let message = match &error.detail {
        None => Cow::Borrowed(text),
        Some(detail) => Cow::Owned(format!("{text}：{detail}")),
    };
    let envelope = Envelope {
        success: false,
        code,
        message: &message,
        data: error.shortage,
        timestamp: now_ms,
    };
    let mut response = respond(status, format, &envelope);
    if let Some(seconds) = error.retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    if let Some(allow) = &error.allow {
        response.headers_mut().insert(ALLOW, allow.clone());
    }
    let mut header =
        |name, value| response.headers_mut().insert(name, HeaderValue::from_static(value));
    match error.code {
        Code::Overloaded | Code::DiskStalled | Code::OutcomeUnknown | Code::Unavailable => {
            header(RETRY_AFTER, "1")
        }
        Code::LowSpace => header(RETRY_AFTER, "60"),
        Code::Unauthorized => header(WWW_AUTHENTICATE, "Bearer"),
        // The rest of the body is not waited for.
        Code::PayloadTooLarge | Code::RequestTimeout => header(CONNECTION, "close"),
        _ => None,
    };
    response
}

/// A whole answer in JSON to whoever is not served, after which the connection is closed.
pub(super) fn failure_bytes(error: &ApiError, now_ms: TimeMs) -> Vec<u8> {
    let (status, code, text) = error.code.parts();
    let detail = error.detail.as_deref().unwrap_or_default();
    let message = format!("{text}：{detail}");
    let envelope =
        Envelope::<()> { success: false, code, message: &message, data: None, timestamp: now_ms };
    let body = Format::Json.encode(&envelope).unwrap_or_default();
    let mut answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {}\r\ncontent-length: {}\r\nretry-after: 1\r\nconnection: close\r\n\r\n",
        Format::Json.content_type(),
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    answer
}

/// A success with its data.
pub(super) fn success<T: Serialize>(format: Format, data: &T, now_ms: TimeMs) -> HttpResponse {
    let envelope = Envelope {
        success: true,
        code: "SUCCESS",
        message: "操作成功",
        data: Some(data),
        timestamp: now_ms,
    };
    respond(StatusCode::OK, format, &envelope)
}

pub(super) fn respond<T: Serialize>(status: StatusCode, format: Format, body: &T) -> HttpResponse {
    let (status, body) = match format.encode(body) {
        Ok(body) => (status, Bytes::from(body)),
        Err(error) => {
            tracing::error!(error = %error, "an answer cannot be written");
            (StatusCode::INTERNAL_SERVER_ERROR, Bytes::new())
        }
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::mall::{Failure, Shortage};

    fn json(response: HttpResponse) -> serde_json::Value {
        let body = response.into_body().collect();
        let bytes = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime")
            .block_on(body);
        serde_json::from_slice(&bytes.expect("a body").to_bytes()).expect("a JSON body")
    }

    #[test]
    fn a_success_has_the_envelope_of_the_mall() {
        let response = success(Format::Json, &serde_json::json!({"a": 1}), 7);
        assert_eq!(response.status(), StatusCode::OK);
        let expected = serde_json::json!({
            "success": true, "code": "SUCCESS", "message": "操作成功", "data": {"a": 1}, "timestamp": 7
        });
        assert_eq!(json(response), expected);
    }

    #[test]
    fn an_error_has_null_data_and_its_headers() {
        let response = failure(&ApiError::new(Code::Overloaded), Format::Json, 7);
        assert_eq!(
            (response.status().as_u16(), response.headers()[RETRY_AFTER].to_str().ok()),
            (503, Some("1"))
        );
        let body = json(response);
        assert_eq!((&body["success"], &body["code"]), (&false.into(), &"OVERLOADED".into()));
        assert!(body["data"].is_null(), "an error carries no data");
    }

    #[test]
    fn a_refusal_says_what_was_there() {
        let shortage = Shortage { required: 3, available: 2, next_release_at: Some(9) };
        let response = failure(&Failure::OutOfStock(shortage).into(), Format::Json, 7);
        assert_eq!(response.status(), StatusCode::CONFLICT);
        assert_eq!(
            json(response)["data"],
            serde_json::json!({"required": 3, "available": 2, "nextReleaseAt": 9})
        );
    }
}
