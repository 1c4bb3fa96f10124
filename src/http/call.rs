//! A request on its way to a handler: who, what, and how to answer.

use std::sync::Arc;

use hyper::header::HeaderMap;
use serde::Serialize;

use super::auth::{Identity, Role};
use super::error::{ApiError, Code};
use super::format::Format;
use super::reply::{HttpResponse, success};
use super::{App, query};
use crate::error::Result;
use crate::types::IdempotencyKey;

/// A request that found its handler.
pub(super) struct Call<'a> {
    pub(super) app: &'a App,
    pub(super) format: Format,
    pub(super) headers: &'a HeaderMap,
    /// With the endpoint, it scopes idempotency keys.
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    /// The decoded `{id}` of the path, empty when it has none.
    pub(super) id: &'a str,
}

impl Call<'_> {
    /// Whoever calls, if it can say who it is.
    pub(super) fn user(&self) -> Result<Arc<Identity>, ApiError> {
        self.app.auth.identify(self.headers, self.app.mall.now_ms())
    }

    /// An operator.
    pub(super) fn admin(&self) -> Result<Arc<Identity>, ApiError> {
        let identity = self.user()?;
        if identity.role == Role::Admin { Ok(identity) } else { Err(ApiError::new(Code::Forbidden)) }
    }

    pub(super) fn success<T: Serialize>(&self, data: &T) -> HttpResponse {
        success(self.format, data, self.app.mall.now_ms())
    }

    /// The request's `Idempotency-Key`, in the scope of the caller and the path.
    pub(super) fn idempotency_key(&self, identity: &Identity) -> Result<Option<IdempotencyKey>, ApiError> {
        let mut values = self.headers.get_all("idempotency-key").iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(ApiError::invalid("there is more than one Idempotency-Key"));
        }
        let key = value.to_str().map_err(|_| ApiError::invalid("an Idempotency-Key is printable ASCII"))?;
        // A user's name has no space, so the two parts of a scope cannot run into each other.
        let scope = format!("{} {}", identity.user.id(), self.path);
        Ok(Some(IdempotencyKey::new(&scope, key)?))
    }

    /// Refuses a query where there is nothing to ask.
    pub(super) fn no_query(&self) -> Result<(), ApiError> {
        match query::pairs(self.query)?.first() {
            None => Ok(()),
            Some((name, _)) => Err(query::unknown(name)),
        }
    }
}
