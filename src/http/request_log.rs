//! Requests in the log: a line when one is answered, where somebody asked for that.

use std::time::Instant;

use hyper::body::Body as _;
use hyper::{Method, StatusCode};

use super::reply::HttpResponse;

/// Of which requests the log tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestLog {
    /// Of none.
    #[default]
    Off,
    /// Of those that are answered with 500 or more.
    Failed,
    /// Of those that are answered with 400 or more.
    Refused,
    /// Of all.
    All,
}

impl RequestLog {
    /// Tells of a request that began then and is answered so.
    pub(super) fn tell(self, began: Instant, method: &Method, response: &HttpResponse) {
        let status = response.status();
        if !self.tells(status) {
            return;
        }
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let bytes = response.body().size_hint().exact();
        tracing::info!(
            method = method.as_str(),
            status = status.as_u16(),
            micros,
            bytes,
            "answered"
        );
    }

    fn tells(self, status: StatusCode) -> bool {
        match self {
            Self::Off => false,
            Self::Failed => status.is_server_error(),
            Self::Refused => status.is_server_error() || status.is_client_error(),
            Self::All => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_is_told() {
        for (log, told) in [
            (RequestLog::Off, [false, false, false]),
            (RequestLog::Failed, [false, false, true]),
            (RequestLog::Refused, [false, true, true]),
            (RequestLog::All, [true, true, true]),
        ] {
            let tells = [StatusCode::OK, StatusCode::CONFLICT, StatusCode::SERVICE_UNAVAILABLE]
                .map(|status| log.tells(status));
            assert_eq!(tells, told, "{log:?}");
        }
    }
}
