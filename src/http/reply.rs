//! What a client gets back: the envelope around what was asked for, or around what went wrong.

use std::borrow::Cow;

use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{HeaderMap, Response, StatusCode};
use serde::Serialize;

use super::answer::Body;
use super::code::{Again, Besides, SUCCESS};
use super::error::{ApiError, FailureWire};
use super::format::Format;
use super::media;
use super::problem::{self, Problem};
use crate::base::TimeMs;

pub(super) type HttpResponse = Response<Body>;
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

/// How a failure is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling<'a> {
    /// As a success is.
    Envelope(Format),
    /// As RFC 9457 has it, of the request with this name.
    Problem(&'a str),
}

/// A failure with its code, its message and its headers.
pub(super) fn failure(error: &ApiError, telling: Telling<'_>, now_ms: TimeMs) -> HttpResponse {
    let row = error.code.row();
    let message = message(error);
    let envelope = told(error, &message, now_ms);
    let mut response = match telling {
        Telling::Envelope(format) => respond(row.status, format, &envelope),
        Telling::Problem(id) => {
            let problem = Problem::of(error, id, envelope);
            let mut response = respond(row.status, Format::Json, &problem);
            let is_problem = HeaderValue::from_static(problem::MEDIA_TYPE);
            response.headers_mut().insert(CONTENT_TYPE, is_problem);
            response
        }
    };
    say_failure(response.headers_mut(), error);
    response
}

/// What the head of an answer says of a failure, however the rest is told.
pub(super) fn say_failure(headers: &mut HeaderMap, error: &ApiError) {
    if let Some(seconds) = retry_after_s(error) {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    match error.code.row().besides {
        Besides::Nothing => {}
        Besides::Challenge => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Besides::Methods => {
            headers.extend(error.allow.clone().map(|allow| (ALLOW, allow)));
        }
        Besides::Close => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// A whole answer in JSON to whoever is not served, after which the connection is closed.
pub(super) fn failure_bytes(error: &ApiError, request_id: &str, now_ms: TimeMs) -> Vec<u8> {
    let message = message(error);
    let envelope = told(error, &message, now_ms);
    let body = Format::Json.encode(&envelope).unwrap_or_default();
    let retry_after = retry_after_s(error)
        .map(|seconds| format!("retry-after: {seconds}\r\n"))
        .unwrap_or_default();
    let mut answer = format!(
        "HTTP/1.1 {}\r\ncontent-type: {}\r\ncontent-length: {}\r\nx-request-id: {request_id}\r\n{retry_after}connection: close\r\n\r\n",
        error.code.row().status,
        Format::Json.content_type(),
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    answer
}

fn told<'a>(
    error: &'a ApiError,
    message: &'a str,
    now_ms: TimeMs,
) -> Envelope<'a, &'a FailureWire> {
    Envelope {
        success: false,
        code: error.code.row().name,
        message,
        data: error.data.as_deref(),
        timestamp: now_ms,
    }
}

/// The code's own message, with what follows it for developers.
pub(super) fn message(error: &ApiError) -> Cow<'static, str> {
    let message = error.code.row().message;
    match &error.detail {
        None => Cow::Borrowed(message),
        Some(detail) => Cow::Owned(format!("{message}：{detail}")),
    }
}

fn retry_after_s(error: &ApiError) -> Option<u64> {
    match error.code.row().again {
        Again::No | Again::Yes => None,
        Again::In(seconds) => Some(seconds),
        Again::WhenTold => error.retry_after_s,
    }
}

/// A success with its data.
pub(super) fn success<T: Serialize>(format: Format, data: &T, now_ms: TimeMs) -> HttpResponse {
    let (code, message) = SUCCESS;
    let envelope = Envelope { success: true, code, message, data: Some(data), timestamp: now_ms };
    respond(StatusCode::OK, format, &envelope)
}

/// A stream of server-sent events.
pub(super) fn events(body: Body) -> HttpResponse {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media::EVENT_STREAM));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(super) fn respond<T: Serialize>(status: StatusCode, format: Format, body: &T) -> HttpResponse {
    let (status, body) = match format.encode(body) {
        Ok(body) => (status, Bytes::from(body)),
        Err(error) => {
            tracing::error!(error = %error, "an answer cannot be written");
            (StatusCode::INTERNAL_SERVER_ERROR, Bytes::new())
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::http::error::Code;
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
        let response =
            failure(&ApiError::new(Code::Overloaded), Telling::Envelope(Format::Json), 7);
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
        let shortage = Shortage { required: 3, available: 2, next_release_at: Some(9), line: None };
        let response =
            failure(&Failure::OutOfStock(shortage).into(), Telling::Envelope(Format::Json), 7);
        assert_eq!(response.status(), StatusCode::CONFLICT);
        assert_eq!(
            json(response)["data"],
            serde_json::json!({"required": 3, "available": 2, "nextReleaseAt": 9})
        );
    }
}
