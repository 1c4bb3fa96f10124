//! The description of the API, for programs and for people.

use hyper::header::{CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, VARY};

use crate::http::accept::Accept;
use crate::http::call::PublicCall;
use crate::http::error::{ApiError, Code};
use crate::http::format::Format;
use crate::http::media;
use crate::http::reply::Answer;

const REFERRER_POLICY: HeaderName = HeaderName::from_static("referrer-policy");

/// As JSON, under the name that the client would rather have.
pub(in crate::http) async fn openapi(call: PublicCall<'_>) -> Answer {
    call.no_query()?;
    let media_type = if media::is_wanted(media::OPENAPI, call.headers()) {
        media::OPENAPI
    } else if call.format == Format::Json {
        Format::Json.content_type()
    } else {
        return Err(ApiError::new(Code::NotAcceptable));
    };
    let mut response = call.app.manual.openapi.answer(call.headers(), media_type);
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

pub(in crate::http) async fn page(call: PublicCall<'_>) -> Answer {
    call.no_query()?;
    if Accept::of(call.headers()).rank(&[media::HTML]).is_none() {
        return Err(ApiError::new(Code::NotAcceptable));
    }
    let manual = &call.app.manual;
    let mut response = manual.page.answer(call.headers(), "text/html; charset=utf-8");
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::try_from(&manual.policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}
