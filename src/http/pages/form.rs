//! Forms, as browsers send them.

use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;

use super::page::Page;
use crate::base::error::Result;
use crate::http::auth::is_same_origin;
use crate::http::error::{ApiError, Code};
use crate::http::query;

/// The media type that HTML has for forms.
const FORM: &str = "application/x-www-form-urlencoded";

/// A form that is sent.
pub(super) struct Form(pub(super) Incoming);

/// What somebody filled in.
#[derive(Debug)]
pub(super) struct Fields {
    pairs: Vec<(String, String)>,
    /// As it was sent.
    pub(super) bytes: Bytes,
}

impl Form {
    /// What was filled in by somebody who is signed in; it counts as a request that writes.
    ///
    /// # Errors
    /// UNAUTHORIZED when nobody is, FORBIDDEN when another site sent it, otherwise what is wrong with
    /// the form.
    pub(super) async fn read<const N: usize>(self, page: &Page<'_, N>) -> Result<Fields, ApiError> {
        let fields = self.read_of_anybody(page).await?;
        page.visit()?.call.count_write(fields.bytes.len())?;
        Ok(fields)
    }

    /// The same of anybody.
    ///
    /// # Errors
    /// Those of [`Form::read`].
    pub(super) async fn read_of_anybody<const N: usize>(
        self,
        page: &Page<'_, N>,
    ) -> Result<Fields, ApiError> {
        let headers = page.request().headers;
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
        let bytes = page.collect(self.0).await?;
        let text = std::str::from_utf8(&bytes);
        let text = text.map_err(|_| ApiError::invalid("the form is no UTF-8"))?;
        Ok(Fields { pairs: query::fields(text)?, bytes })
    }
}

impl Fields {
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
}
