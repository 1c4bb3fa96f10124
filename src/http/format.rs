//! JSON and MessagePack, and how a request asks for them.

use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;
use serde::Serialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use super::accept::Accept;
use super::budget::SMALL_BYTES;
use super::error::{ApiError, Code};
use super::strict::Strict;
use super::{document, messagepack, problem};
use crate::base::error::{Error, Result};

/// How a body is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    #[default]
    Json,
    MessagePack,
}

impl Format {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::MessagePack => "application/msgpack",
        }
    }

    /// The media types that it goes by.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Json => &["application/json"],
            Self::MessagePack => {
                &["application/msgpack", "application/x-msgpack", "application/vnd.msgpack"]
            }
        }
    }

    fn of_media_type(media_type: &str) -> Option<Self> {
        let is = |name: &&str| media_type.eq_ignore_ascii_case(name);
        [Self::Json, Self::MessagePack].into_iter().find(|format| format.names().iter().any(is))
    }

    /// What a request's body is written in; JSON when it does not say.
    pub(super) fn of_body(headers: &HeaderMap) -> Result<Self, ApiError> {
        let Some(value) = headers.get(CONTENT_TYPE) else {
            return Ok(Self::Json);
        };
        let media_type = value
            .to_str()
            .ok()
            .and_then(|value| value.split(';').next())
            .unwrap_or_default()
            .trim();
        Self::of_media_type(media_type).ok_or_else(|| ApiError::new(Code::UnsupportedMediaType))
    }

    /// What a body is written in that is called a merge patch, RFC 7396.
    pub(super) fn of_merge_patch(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let media_type = value.split(';').next()?.trim();
        media_type.eq_ignore_ascii_case("application/merge-patch+json").then_some(Self::Json)
    }

    /// What a client wants the answer in: the best it accepts, the first named of equals; JSON when
    /// it does not say. Who names problems alone says what failures are to be told in, and nothing
    /// of successes: to refuse those would be to refuse every request before it is looked at.
    pub(super) fn of_answer(headers: &HeaderMap) -> Result<Self, ApiError> {
        let accept = Accept::of(headers);
        if accept.is_everything() || accept.names_alone(problem::MEDIA_TYPE) {
            return Ok(Self::Json);
        }
        let formats = [Self::Json, Self::MessagePack].into_iter();
        let wanted = formats.filter_map(|format| Some((accept.rank(format.names())?, format)));
        let best = wanted.rev().max_by_key(|(rank, _)| *rank);
        best.map(|(_, format)| format).ok_or_else(|| ApiError::new(Code::NotAcceptable))
    }

    pub(super) fn encode<T: Serialize>(self, body: &T) -> Result<Vec<u8>> {
        let mut encoded = Vec::with_capacity(384);
        let written: Result<(), Box<dyn std::error::Error + Send + Sync>> = match self {
            Self::Json => serde_json::to_writer(&mut encoded, body).map_err(Into::into),
            Self::MessagePack => {
                rmp_serde::encode::write_named(&mut encoded, body).map_err(Into::into)
            }
        };
        written.map_err(|cause| {
            Error::unavailable("an answer cannot be written").with_source(cause)
        })?;
        if encoded.capacity() > 2 * SMALL_BYTES {
            // What was taken to write into, and is not needed, would not be counted.
            encoded.shrink_to_fit();
        }
        Ok(encoded)
    }

    /// Reads a whole body, which is one object; what follows it is an error as well.
    pub(super) fn decode<T: DeserializeOwned>(self, body: &[u8]) -> Result<T, ApiError> {
        if !self.is_object(body) {
            return Err(ApiError::invalid("the body must be an object"));
        }
        match self {
            Self::Json => json(body).map_err(|error| {
                invalid::<T>(&mut serde_json::Deserializer::from_slice(body), &error)
            }),
            Self::MessagePack => {
                let value = messagepack::read(body)
                    .map_err(|why| ApiError::invalid(format!("$: {why}")))?;
                T::deserialize(Strict(&value)).map_err(|error| invalid::<T>(&value, &error))
            }
        }
    }

    /// Reads a whole body as the members of one object, each name once and each number kept exactly.
    pub(super) fn decode_object(self, body: &[u8]) -> Result<Map<String, Value>, ApiError> {
        match self {
            Self::Json => {
                let raw: &RawValue = serde_json::from_slice(body)
                    .map_err(|error| ApiError::invalid(format!("$: {error}")))?;
                document::object(raw).map_err(|violation| ApiError::invalid(violation.to_string()))
            }
            Self::MessagePack => match messagepack::read(body) {
                Ok(Value::Object(members)) => Ok(members),
                Ok(_) => Err(ApiError::invalid("$: it must be an object")),
                Err(why) => Err(ApiError::invalid(format!("$: {why}"))),
            },
        }
    }

    fn is_object(self, body: &[u8]) -> bool {
        match self {
            Self::Json => body.trim_ascii_start().starts_with(b"{"),
            Self::MessagePack => matches!(body.first(), Some(0x80..=0x8f | 0xde | 0xdf)),
        }
    }
}

/// Reads all of a body.
fn json<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = T::deserialize(Strict(&mut reader))?;
    reader.end()?;
    Ok(read)
}

/// What is wrong with a body, and where. It is read again for that: who sends what is right need not
/// pay for it.
fn invalid<'de, T: DeserializeOwned>(
    body: impl Deserializer<'de>,
    error: &serde_json::Error,
) -> ApiError {
    match serde_path_to_error::deserialize::<_, T>(Strict(body)) {
        Err(found) => {
            let path: String = found.path().iter().map_while(step).collect();
            ApiError::invalid(format!("${path}: {}", found.inner()))
        }
        Ok(_) => ApiError::invalid(format!("$: {error}")),
    }
}

/// A step of a path into a body, unless what is there has no name yet: the body breaks off.
fn step(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Seq { index } => Some(format!("[{index}]")),
        Segment::Map { key } | Segment::Enum { variant: key } => Some(format!(".{key}")),
        Segment::Unknown => None,
    }
}

/// Whether a client wants failures as RFC 9457 has them: it names that, and nothing that we write it
/// would rather have. A range that takes anything takes what everybody gets.
pub(super) fn wants_problems(headers: &HeaderMap) -> bool {
    let accept = Accept::of(headers);
    let problems = accept.named(problem::MEDIA_TYPE);
    let others = accept.best(|media_type| Format::of_media_type(media_type).is_some());
    problems > 0 && problems >= others
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde::Deserialize;
    use serde_json::json;

    use hyper::header::{ACCEPT, HeaderName, HeaderValue};

    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn an_answer_is_written_as_asked() {
        for (accept, want) in [
            ("application/json", Some(Format::Json)),
            ("*/*", Some(Format::Json)),
            ("text/html, application/*;q=0.8", Some(Format::Json)),
            ("application/msgpack", Some(Format::MessagePack)),
            ("application/json;q=0.5, application/x-msgpack", Some(Format::MessagePack)),
            ("application/msgpack;q=0, application/json", Some(Format::Json)),
            ("text/html", None),
            ("application/json;q=0", None),
            ("application/json;q=0, */*", Some(Format::MessagePack)),
            ("*/*;q=0.1, application/json;q=0", Some(Format::MessagePack)),
            ("*/*;q=0, application/json", Some(Format::Json)),
            ("*/*;q=0", None),
            ("application/msgpack, application/*;q=0", Some(Format::MessagePack)),
            ("application/msgpack;q=0.5, */*;q=0.5", Some(Format::MessagePack)),
            ("application/msgpack;q=2, application/json;q=x", None),
            ("", Some(Format::Json)),
            ("application/problem+json", Some(Format::Json)),
            ("application/problem+json;q=0.5", Some(Format::Json)),
            ("application/problem+json;q=0", None),
            ("application/problem+json, text/html", None),
            ("application/problem+json, application/json;q=0", None),
            ("application/problem+json, application/msgpack", Some(Format::MessagePack)),
        ] {
            assert_eq!(Format::of_answer(&headers(ACCEPT, accept)).ok(), want, "{accept}");
        }
        assert_eq!(Format::of_answer(&HeaderMap::new()).ok(), Some(Format::Json), "no header");
    }

    #[test]
    fn a_body_says_what_it_is() {
        for (content_type, want) in [
            ("application/json; charset=utf-8", Some(Format::Json)),
            ("Application/MsgPack", Some(Format::MessagePack)),
            ("text/plain", None),
            ("", None),
        ] {
            assert_eq!(
                Format::of_body(&headers(CONTENT_TYPE, content_type)).ok(),
                want,
                "{content_type}"
            );
        }
    }

    #[test]
    fn both_formats_read_what_they_write_and_refuse_a_tail() {
        for format in [Format::Json, Format::MessagePack] {
            let mut body = format.encode(&serde_json::json!({"tea": 3})).expect("an encoded value");
            let value: HashMap<String, u64> = format.decode(&body).expect("a decoded value");
            assert_eq!(value["tea"], 3);
            body.push(b'1');
            assert!(
                format.decode::<HashMap<String, u64>>(&body).is_err(),
                "{format:?} must refuse a tail"
            );
        }
    }

    #[test]
    fn a_body_is_an_object_and_not_too_deep() {
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code, reason = "it is only parsed")]
        struct Body {
            name: String,
        }
        for format in [Format::Json, Format::MessagePack] {
            let array = format.encode(&["tea"]).expect("an encoded value");
            assert!(format.decode::<Body>(&array).is_err(), "{format:?} must refuse an array");
        }
        let nested = |depth: usize| {
            let mut body = [0x81, 0xa1, b'a'].repeat(depth);
            body.push(0xc0);
            Format::MessagePack.decode::<serde_json::Map<String, serde_json::Value>>(&body)
        };
        assert!(nested(31).is_ok(), "deep enough for any delivery");
        assert!(nested(33).is_err() && nested(20_000).is_err(), "and no deeper");
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Basket {
        #[allow(dead_code, reason = "it is read from bodies")]
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    struct Item {
        #[allow(dead_code, reason = "it is read from bodies")]
        quantity: u64,
    }

    #[test]
    fn what_is_wrong_with_a_body_is_told_by_its_path() {
        for (body, told) in [
            (json!({"items": [{"quantity": 1}, {"quantity": "2"}]}), "$.items[1].quantity: "),
            (json!({"items": [{"quantity": 1}, {}]}), "$.items[1]: missing field `quantity`"),
            (json!({"items": 7}), "$.items: invalid type"),
            (json!({"items": [[1]]}), "$.items[0]: invalid type"),
            (json!({"items": [], "more": 1}), "$.more: unknown field `more`"),
            (json!({}), "$: missing field `items`"),
        ] {
            let packed = rmp_serde::to_vec(&body).expect("a body");
            for (format, bytes) in
                [(Format::Json, body.to_string().into_bytes()), (Format::MessagePack, packed)]
            {
                let error = format.decode::<Basket>(&bytes).expect_err("it is wrong");
                let text = error.detail.unwrap_or_default();
                assert!(text.contains(told), "{format:?} {body}: {text}");
            }
        }
        for (cut, told) in [("{", "$: EOF"), ("{\"it", "$: EOF"), ("{\"items\":[", "$.items")] {
            let error = Format::Json.decode::<Basket>(cut.as_bytes()).expect_err("it is cut off");
            let text = error.detail.unwrap_or_default();
            assert!(text.contains(told) && !text.contains('?'), "{cut}: {text}");
        }
        let twice = Format::Json.decode::<Basket>(b"{\"items\":[]} {}").expect_err("it is two");
        assert!(twice.detail.unwrap_or_default().contains("$: trailing characters"));
    }
}
