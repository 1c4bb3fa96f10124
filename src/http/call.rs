//! A request on its way to a handler: who, what, and how to answer.

use std::sync::Arc;

use hyper::header::HeaderMap;
use serde::Serialize;

use super::auth::{Identity, Role};
use super::budget::{Charge, Payer, SMALL_BYTES};
use super::error::{ApiError, Code};
use super::format::Format;
use super::guests::Address;
use super::reply::{HttpResponse, success};
use super::{App, key, query};
use crate::base::IdempotencyKey;
use crate::base::error::{Error, Result};

/// What a request writes besides its body, in bytes: its event, and its rows in history.
const RECORD_BYTES: u64 = 512;

/// A request that found its handler.
pub(super) struct Call<'a> {
    pub(super) app: &'a App,
    pub(super) format: Format,
    pub(super) address: Address,
    pub(super) headers: &'a HeaderMap,
    /// The path as it is spelled.
    pub(super) path: &'a str,
    /// The pattern that the path matched, with `{id}` in the place of the id.
    pub(super) pattern: &'static str,
    pub(super) query: Option<&'a str>,
    /// The decoded `{id}` of the path, empty when it has none.
    pub(super) id: &'a str,
}

impl Call<'_> {
    /// Whoever calls, if it can say who it is.
    pub(super) fn user(&self) -> Result<Arc<Identity>, ApiError> {
        self.app.auth.identify(self.headers, self.app.mall.clock_ms())
    }

    /// An operator.
    pub(super) fn admin(&self) -> Result<Arc<Identity>, ApiError> {
        let identity = self.user()?;
        if identity.role == Role::Admin {
            Ok(identity)
        } else {
            Err(ApiError::new(Code::Forbidden))
        }
    }

    /// Counts memory for this request, as long as the charge lives, if it is worth counting.
    pub(super) fn charge(&self, bytes: usize) -> Result<Option<Charge>, ApiError> {
        Self::charge_to(self.app, self.headers, self.address, bytes)
    }

    /// As [`Call::charge`], for whoever has sent these headers.
    pub(super) fn charge_to(
        app: &App,
        headers: &HeaderMap,
        address: Address,
        bytes: usize,
    ) -> Result<Option<Charge>, ApiError> {
        if bytes <= SMALL_BYTES {
            return Ok(None);
        }
        app.budget.charge(&Self::payer_of(app, headers, address), bytes).map(Some)
    }

    /// Whose share of the memory a request takes.
    fn payer_of(app: &App, headers: &HeaderMap, address: Address) -> Payer {
        match app.auth.identify(headers, app.mall.now_ms()) {
            Ok(identity) => Payer::User(identity.user.id().into()),
            Err(_) => Payer::Address(address),
        }
    }

    pub(super) fn success<T: Serialize>(&self, data: &T) -> HttpResponse {
        success(self.format, data, self.app.mall.now_ms())
    }

    /// The request's `Idempotency-Key`, in the scope of the caller and of what the path means:
    /// however path and key are spelled, one request has one key.
    pub(super) fn idempotency_key(
        &self,
        identity: &Identity,
    ) -> Result<Option<IdempotencyKey>, ApiError> {
        let mut values = self.headers.get_all("idempotency-key").iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(ApiError::invalid("there is more than one Idempotency-Key"));
        }
        let spelled = value
            .to_str()
            .map_err(|_| ApiError::invalid("an Idempotency-Key is printable ASCII"))?;
        let (path, meant) = (self.pattern.replace("{id}", self.id), key::meaning(spelled)?);
        // A user's name has no space, so the two parts of a scope cannot run into each other.
        let user = identity.user.id();
        let key = |path: &str, key: &str| {
            let key = IdempotencyKey::new(&format!("{user} {path}"), key)?;
            // A user has one share of the window over all paths; an operator, who is trusted, one
            // for each path.
            Ok::<_, Error>(if identity.role == Role::Admin { key } else { key.owned_by(user) })
        };
        let named = key(&path, &meant)?;
        if path == self.path && meant == spelled {
            return Ok(Some(named));
        }
        // Up to 0.1.0 the spelling was the key: who retries a request of then, as it was spelled,
        // hears its answer.
        let before = key(self.path, spelled).ok();
        let known = before.map_or(Ok(None), |before| self.app.mall.engine().recall(before))?;
        Ok(before.filter(|_| known.is_some()).or(Some(named)))
    }

    /// Counts a request that may write something, and has a body of so many bytes. Operators may do
    /// as they like.
    pub(super) fn count_write(
        &self,
        identity: &Identity,
        body_bytes: usize,
    ) -> Result<(), ApiError> {
        if identity.role == Role::Admin {
            return Ok(());
        }
        let charged = self.app.rates.charge(identity.user.id(), body_bytes as u64 + RECORD_BYTES);
        charged.map_err(ApiError::rate_limited)
    }

    /// Refuses a query where there is nothing to ask.
    pub(super) fn no_query(&self) -> Result<(), ApiError> {
        match query::pairs(self.query)?.first() {
            None => Ok(()),
            Some((name, _)) => Err(query::unknown(name)),
        }
    }
}
