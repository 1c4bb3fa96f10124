//! What browsers send: the fields of a form, and those of a query.

use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;

use crate::base::IdempotencyKey;
use crate::base::error::Result;
use crate::http::auth::is_same_origin;
use crate::http::body;
use crate::http::call::{Call, Known, MaybeKnown};
use crate::http::error::{ApiError, Code};
use crate::http::query;

/// The media type that HTML has for forms.
const FORM: &str = "application/x-www-form-urlencoded";

/// What somebody filled in.
#[derive(Debug)]
pub(super) struct Fields {
    pairs: Vec<(String, String)>,
    /// As it was sent.
    bytes: Bytes,
}

impl Fields {
    /// The form that was sent, which counts as a request that writes, and may be so many times as long as
    /// another body.
    ///
    /// # Errors
    /// FORBIDDEN when another site sent it, otherwise what is wrong with the form.
    pub(super) async fn read<Who: MaybeKnown, const N: usize>(
        call: &Call<'_, Who, N>,
        body: Incoming,
        bodies: usize,
    ) -> Result<Self, ApiError> {
        let headers = call.headers();
        if !is_same_origin(headers) {
            return Err(
                ApiError::new(Code::Forbidden).detail("the request comes from another site")
            );
        }
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = media_type.and_then(|it| it.split(';').next()).map(str::trim);
        if !media_type.is_some_and(|it| it.eq_ignore_ascii_case(FORM)) {
            return Err(ApiError::new(Code::UnsupportedMediaType));
        }
        call.no_query()?;
        let bytes_max = call.app.limits.body_bytes.saturating_mul(bodies);
        let bytes = body::collect(call, body, bytes_max).await?;
        call.count_write(bytes.len())?;
        let text = std::str::from_utf8(&bytes);
        let text = text.map_err(|_| ApiError::invalid("the form is no UTF-8"))?;
        Ok(Self { pairs: query::fields(text)?, bytes })
    }

    /// What a field says; an empty one says nothing.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.pairs.iter().filter(|(field, _)| field == name);
        found.next().map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// # Errors
    /// INVALID_REQUEST when it says nothing.
    pub(super) fn must(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| ApiError::invalid(format!("the field {name} is empty")))
    }

    /// Everything that was filled in.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The key of the form, in the scope of who sent it and of where: sent again it acts once, and with
    /// other contents it is refused.
    ///
    /// # Errors
    /// INVALID_REQUEST when there is none.
    pub(super) fn key<Who: Known, const N: usize>(
        &self,
        call: &Call<'_, Who, N>,
    ) -> Result<IdempotencyKey, ApiError> {
        Ok(call.key_named(self.must("key")?)?.with_body(&self.bytes))
    }
}

/// What a query says. A form of a page sends its empty fields, too: those say nothing.
#[derive(Debug)]
pub(super) struct Asked {
    pairs: Vec<(String, String)>,
}

impl Asked {
    /// # Errors
    /// INVALID_REQUEST when it cannot be read.
    pub(super) fn read<Who, const N: usize>(call: &Call<'_, Who, N>) -> Result<Self, ApiError> {
        let mut pairs = call.query()?;
        pairs.retain(|(_, value)| !value.is_empty());
        Ok(Self { pairs })
    }

    /// One parameter; an empty text where it is not there.
    pub(super) fn get(&self, name: &str) -> &str {
        let found = self.pairs.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }

    /// The only parameter that there may be.
    ///
    /// # Errors
    /// INVALID_REQUEST when there are others, or it is too long.
    pub(super) fn only(&self, name: &str) -> Result<Option<String>, ApiError> {
        let [value] = self.all([name])?;
        value.map(|value| query::short(name, value.to_owned())).transpose()
    }

    /// The parameters that there may be.
    ///
    /// # Errors
    /// INVALID_REQUEST when there are others.
    pub(super) fn all<const M: usize>(
        &self,
        names: [&str; M],
    ) -> Result<[Option<&str>; M], ApiError> {
        if let Some((other, _)) = self.pairs.iter().find(|(name, _)| !names.contains(&&**name)) {
            return Err(query::unknown(other));
        }
        Ok(names.map(|name| Some(self.get(name)).filter(|value| !value.is_empty())))
    }

    /// All of it, for who looks at it by itself.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        self.pairs.clone()
    }
}
