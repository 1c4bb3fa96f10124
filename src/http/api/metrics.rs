//! The server in numbers, as Prometheus reads them.

use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, VARY};

use crate::base::error::Error;
use crate::http::accept::Accept;
use crate::http::answer::Body;
use crate::http::call::MonitorCall;
use crate::http::error::{ApiError, Code};
use crate::http::media;
use crate::http::metrics::{Exposition, Sources, written};
use crate::http::reply::Answer;

pub(in crate::http) async fn metrics(call: MonitorCall<'_>) -> Answer {
    call.no_query()?;
    let format = if media::is_wanted(media::OPEN_METRICS, call.headers()) {
        Exposition::OpenMetrics
    } else if Accept::of(call.headers()).rank(&[media::PLAIN]).is_some() {
        Exposition::Prometheus
    } else {
        return Err(ApiError::new(Code::NotAcceptable));
    };
    let sources = Sources::of(call.app);
    let text = call.app.scrapes.run(move || {
        let text = written(&sources, format);
        Ok(text
            .map_err(|cause| Error::unavailable("numbers cannot be written").with_source(cause))?)
    });
    let mut response = Response::new(Body::from(Bytes::from(text.await?)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}
