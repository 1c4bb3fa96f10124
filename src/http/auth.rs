//! Who is calling: bearer tokens to users.

mod claims;
mod crypto;
mod jwks;
mod key;
mod keyring;
mod role;
mod session;

use std::hash::BuildHasher;
use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Notify;

use self::claims::{Claims, Expected, NumericDate, OutOfTime, Stray};
use self::jwks::Origin;
use self::key::{Key, Unverified};
use self::keyring::Keyring;
use self::session::Used;
use super::error::{ApiError, Code};
use crate::base::TimeMs;
use crate::base::error::{Error, Result};
use crate::base::handle;
use crate::mall::User;

pub(crate) use self::jwks::SECRET_BYTES_MIN;
#[cfg(feature = "bin")]
pub(crate) use self::jwks::set_of_secret;
pub use self::role::Role;
pub(super) use self::session::{SESSION_COOKIE, Session, is_same_origin, named as cookie_named};

/// How far clocks may differ unless it is said otherwise, in milliseconds.
const LEEWAY_MS: u64 = 5_000;
/// How many verified tokens are remembered. A power of two; one slot takes at most about 1 KiB.
const SLOTS: usize = 8192;
/// Longer tokens are verified each time.
const CACHED_TOKEN_BYTES_MAX: usize = 512;

/// A caller whose token was verified.
pub(super) struct Identity {
    /// Whose points and orders it asks about: its own, or with a service those of the user that it
    /// acts for.
    pub(super) user: User,
    pub(super) role: Role,
    /// When its token was made, if that says so.
    issued_at: Option<TimeMs>,
}

impl Identity {
    /// This service, in the name of a user.
    ///
    /// # Errors
    /// `Invalid` when the user's name cannot name an account.
    pub(super) fn acting_for(&self, user: &str) -> Result<Self> {
        let user = User::new(user)?.served_by(self.user.id());
        Ok(Self { user, role: self.role, issued_at: self.issued_at })
    }
}

/// A token that was verified, by which key, and whose it is.
struct Bearer {
    identity: Arc<Identity>,
    claims: Claims,
    key: Arc<Key>,
}

/// Why a token lets nobody in.
enum Refused {
    /// There is none, or it says nothing that may be told to whoever sent it.
    Token,
    /// It names a key that there is not.
    Kid(Option<String>),
    Unverified(Unverified),
    Names(Stray),
    Time(OutOfTime),
    Revoked,
}

/// Verifies tokens, and signs those of secrets.
pub struct Auth {
    keys: Keyring,
    /// By how much the clock that made a token may differ from ours, in milliseconds.
    leeway_ms: u64,
    expected: Expected,
    /// Verified tokens, each in the slot its hash names: bounded, and a busy user costs no second
    /// verification.
    slots: Box<[Mutex<Option<Verified>>]>,
    hasher: foldhash::quality::RandomState,
    /// A token has named a key that there is not.
    missed: Notify,
    /// Links that were used.
    used_links: Used,
}

// Nothing of the keys.
handle!(Auth, this { leeway_ms: this.leeway_ms });

struct Verified {
    token: Box<str>,
    bearer: Arc<Bearer>,
}

impl Auth {
    /// Takes tokens that this secret signs with HS256.
    ///
    /// # Errors
    /// `Invalid` when the secret is shorter than 32 bytes.
    pub fn new(secret: &SecretString) -> Result<Self> {
        let secret = secret.expose_secret().as_bytes();
        if secret.len() < SECRET_BYTES_MIN {
            return Err(Error::invalid(format!(
                "the authentication secret must have at least {SECRET_BYTES_MIN} bytes"
            )));
        }
        Ok(Self::of(Some(Key::secret(None, secret))))
    }

    /// Takes no token, until there are keys.
    pub fn without_secret() -> Self {
        Self::of(None)
    }

    fn of(unnamed: Option<Key>) -> Self {
        let slots = std::iter::repeat_with(|| Mutex::new(None)).take(SLOTS).collect();
        Self {
            keys: Keyring::new(unnamed),
            leeway_ms: LEEWAY_MS,
            expected: Expected::default(),
            slots,
            hasher: foldhash::quality::RandomState::default(),
            missed: Notify::new(),
            used_links: Used::default(),
        }
    }

    /// Takes tokens of clocks that differ from ours by up to `leeway_ms` milliseconds; 5,000 unless
    /// said otherwise.
    #[must_use]
    pub fn leeway_ms(mut self, leeway_ms: u64) -> Self {
        self.leeway_ms = leeway_ms;
        self
    }

    /// Takes only tokens whose `iss` is this, and writes it into those that are made here; any, and
    /// none, unless it is said.
    #[must_use]
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.expected.issuer = Some(issuer.into());
        self
    }

    /// Takes only tokens whose `aud` is this, or a list with it, and writes it into those that are made
    /// here; any, and none, unless it is said.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.expected.audience = Some(audience.into());
        self
    }

    /// Takes tokens that name one of these keys with their `kid`, in place of all such keys that there
    /// were; also while it serves. `keys` is a JSON Web Key Set (RFC 7517) of secrets (HS256), RSA keys
    /// (RS256), points on P-256 (ES256) and Ed25519 (EdDSA): each key has its own algorithm.
    ///
    /// # Errors
    /// `Invalid` naming the key that is wrong; then everything stays as it was.
    pub fn replace_keys(&self, keys: &str) -> Result<()> {
        self.replace_of(Origin::File, keys.as_bytes())
    }

    /// The same of keys that somebody publishes. Secrets, and what is wrong, are left out; of two
    /// keys with one name, that of [`Auth::replace_keys`] counts.
    ///
    /// # Errors
    /// `Invalid` when it is no set; then everything stays as it was.
    pub fn replace_published_keys(&self, keys: &[u8]) -> Result<()> {
        self.replace_of(Origin::Url, keys)
    }

    /// Resolves when a token has named a key that there is not, since it was asked last.
    #[cfg(feature = "bin")]
    pub(crate) async fn missed_key(&self) {
        self.missed.notified().await;
    }

    fn replace_of(&self, origin: Origin, keys: &[u8]) -> Result<()> {
        let parsed = jwks::parse(keys, origin)?;
        for key in &parsed.left_out {
            tracing::warn!("{key}: it is left out");
        }
        let replaced = self.keys.replace(origin, parsed.keys);
        if replaced != keyring::Replaced::default() {
            let (added, removed) = (replaced.added.join(" "), replaced.removed.join(" "));
            tracing::info!(added, removed, "keys of tokens");
        }
        Ok(())
    }

    /// A token for `user` that is valid until `expires_at_ms`, rounded down to a second. It does not
    /// say when it was made.
    ///
    /// # Errors
    /// `Invalid` when the user's name cannot name an account, or there is no secret without a name.
    pub fn issue(&self, user: &str, role: Role, expires_at_ms: TimeMs) -> Result<String> {
        self.signed(None, user, role, None, expires_at_ms, None)
    }

    /// The same, and it says that it was made at `issued_at_ms`: it outlives a revocation of tokens
    /// that were made before.
    ///
    /// # Errors
    /// Those of [`Auth::issue`].
    pub fn issue_at(
        &self,
        user: &str,
        role: Role,
        issued_at_ms: TimeMs,
        expires_at_ms: TimeMs,
    ) -> Result<String> {
        self.signed(None, user, role, Some(issued_at_ms), expires_at_ms, None)
    }

    /// A token for `user` that is valid from now on for `ttl_ms`.
    ///
    /// # Errors
    /// Those of [`Auth::issue`].
    #[cfg(feature = "bin")]
    pub(crate) fn issue_for(&self, user: &str, role: Role, ttl_ms: u64) -> Result<String> {
        self.issue_with(None, user, role, ttl_ms)
    }

    /// The same, of the secret with this `kid`.
    ///
    /// # Errors
    /// `Invalid` when the user's name cannot name an account, or there is no such secret.
    #[cfg(feature = "bin")]
    pub(crate) fn issue_with(
        &self,
        kid: Option<&str>,
        user: &str,
        role: Role,
        ttl_ms: u64,
    ) -> Result<String> {
        use crate::base::clock::{Clock as _, SystemClock};
        let now_ms = SystemClock::default().now_ms();
        self.signed(kid, user, role, Some(now_ms), now_ms.saturating_add(ttl_ms), None)
    }

    fn signed(
        &self,
        kid: Option<&str>,
        user: &str,
        role: Role,
        issued_at_ms: Option<TimeMs>,
        expires_at_ms: TimeMs,
        link: Option<u64>,
    ) -> Result<String> {
        User::new(user)?;
        let found = self.keys.find(kid).filter(|key| kid.is_none() || key.kid() == kid);
        let key = found.ok_or_else(|| match kid {
            Some(kid) => Error::invalid(format!("no key has the kid {kid:?}")),
            None => Error::invalid("there is no secret without a kid: name one"),
        })?;
        let role = (role != Role::User).then(|| role.name().to_owned());
        key.sign(&Claims {
            sub: user.to_owned(),
            exp: NumericDate::whole(expires_at_ms),
            nbf: None,
            iat: issued_at_ms.map(NumericDate),
            role,
            iss: self.expected.issuer.as_deref().map(Into::into),
            aud: self.expected.audience.as_deref().map(Into::into),
            link,
        })
    }

    /// Whose token this is, where `is_revoked` says so of none.
    pub(super) fn identify(
        &self,
        token: &str,
        now_ms: TimeMs,
        is_revoked: impl Fn(&str, Option<TimeMs>) -> bool,
    ) -> Result<Arc<Identity>, ApiError> {
        let bearer = match self.cached(token) {
            Some(bearer) => bearer,
            None => self.verify(token)?,
        };
        bearer.claims.check_time(now_ms, self.leeway_ms).map_err(Refused::Time)?;
        let identity = &bearer.identity;
        match is_revoked(identity.user.id(), identity.issued_at) {
            true => Err(Refused::Revoked.into()),
            false => Ok(identity.clone()),
        }
    }

    fn slot(&self, token: &str) -> &Mutex<Option<Verified>> {
        &self.slots[self.hasher.hash_one(token) as usize & (SLOTS - 1)]
    }

    fn cached(&self, token: &str) -> Option<Arc<Bearer>> {
        let slot = self.slot(token).lock();
        // The whole token is compared: another with the same hash is another token.
        slot.as_ref()
            .filter(|verified| *verified.token == *token && !verified.bearer.key.is_retired())
            .map(|verified| verified.bearer.clone())
    }

    /// What a token or a link says that one of the keys has signed, and which.
    fn claims_of(&self, token: &str) -> Result<(Claims, Arc<Key>), Refused> {
        // `none` is no algorithm of the library's, so such a token has no header that can be read.
        let header = jsonwebtoken::decode_header(token).map_err(|_| Refused::Token)?;
        let Some(key) = self.keys.find(header.kid.as_deref()) else {
            self.missed.notify_one();
            return Err(Refused::Kid(header.kid));
        };
        let claims = key.verify(token).map_err(Refused::Unverified)?;
        claims.check_names(&self.expected).map_err(Refused::Names)?;
        Ok((claims, key))
    }

    fn verify(&self, token: &str) -> Result<Arc<Bearer>, Refused> {
        let (claims, key) = self.claims_of(token)?;
        if claims.link.is_some() {
            return Err(Refused::Token);
        }
        let role = Role::parse(claims.role.as_deref()).ok_or(Refused::Token)?;
        let user = User::new(&claims.sub).map_err(|_| Refused::Token)?;
        let issued_at = claims.iat.map(|at| at.0);
        let identity = Arc::new(Identity { user, role, issued_at });
        let bearer = Arc::new(Bearer { identity, claims, key });
        if token.len() <= CACHED_TOKEN_BYTES_MAX {
            *self.slot(token).lock() =
                Some(Verified { token: token.into(), bearer: bearer.clone() });
        }
        Ok(bearer)
    }
}

impl From<Refused> for ApiError {
    /// Nothing is told of what a signature would have to be; of a token that verified, why it is not
    /// good now.
    fn from(refused: Refused) -> Self {
        let detail = match refused {
            Refused::Token | Refused::Unverified(Unverified::Token) => None,
            Refused::Kid(None) => Some("the token names no key".to_owned()),
            Refused::Kid(Some(kid)) => {
                let told: String = kid.chars().take(KID_CHARS_TOLD).collect();
                Some(format!("no key has the kid {told:?}"))
            }
            Refused::Unverified(Unverified::Algorithm(signing)) => {
                Some(format!("the token's key is for {} alone", signing.name()))
            }
            Refused::Names(Stray::NoIssuer) => Some("the token names no issuer (iss)".to_owned()),
            Refused::Names(Stray::Issuer) => {
                Some("the token is of another issuer (iss)".to_owned())
            }
            Refused::Names(Stray::NoAudience) => {
                Some("the token names no audience (aud)".to_owned())
            }
            Refused::Names(Stray::Audience) => {
                Some("the token is for another audience (aud)".to_owned())
            }
            Refused::Time(OutOfTime::Expired) => Some("the token has expired".to_owned()),
            Refused::Time(OutOfTime::NotYet) => Some("the token is not valid yet".to_owned()),
            Refused::Revoked => Some("the token was revoked".to_owned()),
        };
        let error = Self::new(Code::Unauthorized);
        detail.map_or_else(|| Self::new(Code::Unauthorized), |detail| error.detail(detail))
    }
}

/// How many characters of a `kid` that there is not are repeated.
const KID_CHARS_TOLD: usize = 64;

/// The token of a request. A browser's cookie counts where there is no `Authorization`, and the request
/// only reads or comes from one of our own pages.
///
/// # Errors
/// UNAUTHORIZED where there is none, FORBIDDEN for a cookie that another site may have sent.
pub(super) fn token_of(headers: &HeaderMap, only_reads: bool) -> Result<&str, ApiError> {
    match session::cookie(headers) {
        Some(token) if !headers.contains_key(AUTHORIZATION) => {
            if !only_reads {
                session::check_origin(headers)?;
            }
            Ok(token)
        }
        Some(_) | None => bearer(headers),
    }
}

/// The token of `Authorization: Bearer TOKEN`; the scheme's case does not matter.
fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next();
    if values.next().is_some() {
        // Two callers in one request: whoever stands between us may have read the other one.
        return Err(ApiError::invalid("there is more than one Authorization"));
    }
    let value = value.and_then(|value| value.to_str().ok()).and_then(|value| value.split_once(' '));
    let token = value
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    token.ok_or_else(|| ApiError::new(Code::Unauthorized))
}

#[cfg(test)]
mod tests;
