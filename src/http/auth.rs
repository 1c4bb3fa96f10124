//! Who is calling: bearer tokens to users.

use std::hash::BuildHasher;
use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};

use super::error::{ApiError, Code};
use super::token::{Claims, Keys, NumericDate};
use crate::base::TimeMs;
use crate::base::error::{Error, Result};
use crate::base::handle;
use crate::mall::User;

/// How far clocks may differ unless it is said otherwise, in milliseconds.
const LEEWAY_MS: u64 = 5_000;
/// The shortest secret, in bytes.
pub(crate) const SECRET_BYTES_MIN: usize = 32;
/// How many verified tokens are remembered. A power of two; one slot takes at most about 1 KiB.
const SLOTS: usize = 8192;
/// Longer tokens are verified each time.
const CACHED_TOKEN_BYTES_MAX: usize = 512;

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// Sees and changes what is its own.
    User,
    /// Does what a user may, in the name of the user that each request names.
    Service,
    /// Also changes stock and points, and carries orders on.
    Operator,
    /// Also looks after the server itself.
    Admin,
}

impl Role {
    pub(super) const ALL: &[Self] = &[Self::User, Self::Service, Self::Operator, Self::Admin];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Service => "service",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Whether its requests are not counted against any limit: it is trusted to know what it does.
    pub(super) fn is_trusted(self) -> bool {
        match self {
            Self::User | Self::Service => false,
            Self::Operator | Self::Admin => true,
        }
    }

    fn parse(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("user") => Some(Self::User),
            Some("service") => Some(Self::Service),
            Some("operator") => Some(Self::Operator),
            Some("admin") => Some(Self::Admin),
            Some(_) => None,
        }
    }
}

/// A caller whose token was verified.
pub(super) struct Identity {
    /// Whose points and orders it asks about: its own, or with a service those of the user that it
    /// acts for.
    pub(super) user: User,
    pub(super) role: Role,
}

impl Identity {
    /// This service, in the name of a user.
    ///
    /// # Errors
    /// `Invalid` when the user's name cannot name an account.
    pub(super) fn acting_for(&self, user: &str) -> Result<Self> {
        Ok(Self { user: User::new(user)?.served_by(self.user.id()), role: self.role })
    }
}

/// A token that was verified, and whose it is.
struct Bearer {
    identity: Arc<Identity>,
    claims: Claims,
}

/// Signs and verifies the tokens of one secret.
pub struct Auth {
    keys: Keys,
    /// By how much the clock that made a token may differ from ours, in milliseconds.
    leeway_ms: u64,
    /// Verified tokens, each in the slot its hash names: bounded, and a busy user costs no second
    /// verification.
    slots: Box<[Mutex<Option<Verified>>]>,
    hasher: foldhash::quality::RandomState,
}

// Nothing of the keys.
handle!(Auth, this { leeway_ms: this.leeway_ms });

struct Verified {
    token: Box<str>,
    bearer: Arc<Bearer>,
}

impl Auth {
    /// # Errors
    /// `Invalid` when the secret is shorter than 32 bytes.
    pub fn new(secret: &SecretString) -> Result<Self> {
        let secret = secret.expose_secret().as_bytes();
        if secret.len() < SECRET_BYTES_MIN {
            return Err(Error::invalid(format!(
                "the authentication secret must have at least {SECRET_BYTES_MIN} bytes"
            )));
        }
        let slots = std::iter::repeat_with(|| Mutex::new(None)).take(SLOTS).collect();
        Ok(Self {
            keys: Keys::new(secret),
            leeway_ms: LEEWAY_MS,
            slots,
            hasher: foldhash::quality::RandomState::default(),
        })
    }

    /// Takes tokens of clocks that differ from ours by up to `leeway_ms` milliseconds; 5,000 unless
    /// said otherwise.
    #[must_use]
    pub fn leeway_ms(mut self, leeway_ms: u64) -> Self {
        self.leeway_ms = leeway_ms;
        self
    }

    /// A token for `user` that is valid until `expires_at_ms`, rounded down to a second.
    ///
    /// # Errors
    /// `Invalid` when the user's name cannot name an account.
    pub fn issue(&self, user: &str, role: Role, expires_at_ms: TimeMs) -> Result<String> {
        User::new(user)?;
        let role = (role != Role::User).then(|| role.name().to_owned());
        self.keys.sign(&Claims {
            sub: user.to_owned(),
            exp: NumericDate(expires_at_ms),
            nbf: None,
            role,
        })
    }

    /// A token for `user` that is valid from now on for `ttl_ms`.
    ///
    /// # Errors
    /// `Invalid` when the user's name cannot name an account.
    #[cfg(feature = "bin")]
    pub(crate) fn issue_for(&self, user: &str, role: Role, ttl_ms: u64) -> Result<String> {
        use crate::base::clock::{Clock as _, SystemClock};
        self.issue(user, role, SystemClock::default().now_ms().saturating_add(ttl_ms))
    }

    /// Whose token a request has.
    pub(super) fn identify(
        &self,
        headers: &HeaderMap,
        now_ms: TimeMs,
    ) -> Result<Arc<Identity>, ApiError> {
        let token = bearer(headers)?;
        let bearer = match self.cached(token) {
            Some(bearer) => bearer,
            None => self.verify(token).ok_or_else(|| ApiError::new(Code::Unauthorized))?,
        };
        if bearer.claims.is_current(now_ms, self.leeway_ms) {
            Ok(bearer.identity.clone())
        } else {
            Err(ApiError::new(Code::Unauthorized))
        }
    }

    fn slot(&self, token: &str) -> &Mutex<Option<Verified>> {
        &self.slots[self.hasher.hash_one(token) as usize & (SLOTS - 1)]
    }

    fn cached(&self, token: &str) -> Option<Arc<Bearer>> {
        let slot = self.slot(token).lock();
        // The whole token is compared: another with the same hash is another token.
        slot.as_ref()
            .filter(|verified| *verified.token == *token)
            .map(|verified| verified.bearer.clone())
    }

    fn verify(&self, token: &str) -> Option<Arc<Bearer>> {
        let claims = self.keys.verify(token)?;
        let role = Role::parse(claims.role.as_deref())?;
        let identity = Arc::new(Identity { user: User::new(&claims.sub).ok()?, role });
        let bearer = Arc::new(Bearer { identity, claims });
        if token.len() <= CACHED_TOKEN_BYTES_MAX {
            *self.slot(token).lock() =
                Some(Verified { token: token.into(), bearer: bearer.clone() });
        }
        Some(bearer)
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
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    const NOW_MS: TimeMs = 1_700_000_000_000;

    fn auth(secret: &str) -> Auth {
        Auth::new(&SecretString::from(secret)).expect("a secret that is long enough")
    }

    fn headers(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(value).expect("a header value"));
        headers
    }

    #[test]
    fn a_token_names_its_user_until_it_expires() {
        let auth = auth("0123456789abcdef0123456789abcdef");
        let token = auth.issue("ann", Role::Admin, NOW_MS + 5_000).expect("a token");
        let headers = headers(&format!("Bearer {token}"));
        // Twice: verified, then remembered.
        for _ in 0..2 {
            let identity = auth.identify(&headers, NOW_MS).expect("a valid token");
            assert_eq!((identity.user.id(), identity.role), ("ann", Role::Admin));
        }
        assert!(auth.identify(&headers, NOW_MS + 9_999).is_ok(), "within the leeway");
        assert!(
            auth.identify(&headers, NOW_MS + 10_000).is_err(),
            "a remembered token expires all the same"
        );
    }

    #[test]
    fn times_may_have_fractions_and_clocks_may_differ() {
        let auth = auth("0123456789abcdef0123456789abcdef").leeway_ms(1_000);
        let second = NOW_MS / 1000;
        for (times, valid) in [
            (format!(r#""exp":{second}.5"#), true),
            (format!(r#""exp":{}"#, second - 1), false),
            (format!(r#""exp":{}.001"#, second - 1), true),
            (format!(r#""exp":{second}.5,"nbf":{}.999"#, second), true),
            (format!(r#""exp":{}.5,"nbf":{}.001"#, second + 9, second + 1), false),
            (r#""exp":1e400"#.to_owned(), false),
            (r#""exp":1e15"#.to_owned(), true),
            (r#""exp":18446744073709551615"#.to_owned(), true),
            (r#""exp":-1"#.to_owned(), false),
            (r#""exp":"4000000000""#.to_owned(), false),
            (r#""exp":null"#.to_owned(), false),
        ] {
            let token = auth.keys.sign_text(&format!(r#"{{"sub":"ann",{times}}}"#));
            assert_eq!(
                auth.identify(&headers(&format!("Bearer {token}")), NOW_MS).is_ok(),
                valid,
                "{times}"
            );
        }
    }

    #[test]
    fn two_callers_in_one_request_are_none() {
        let auth = auth("0123456789abcdef0123456789abcdef");
        let token = auth.issue("ann", Role::User, NOW_MS + 5_000).expect("a token");
        let mut headers = headers(&format!("Bearer {token}"));
        headers.append(
            AUTHORIZATION,
            HeaderValue::from_str(&format!("Bearer {token}")).expect("a header value"),
        );
        let error = auth.identify(&headers, NOW_MS).err().expect("it is refused");
        assert_eq!(error.code, Code::InvalidRequest);
    }

    #[test]
    fn what_is_not_our_token_is_refused() {
        let auth = auth("0123456789abcdef0123456789abcdef");
        let other = super::tests::auth("another secret of thirty-two byte");
        let token = auth.issue("ann", Role::User, NOW_MS + 5_000).expect("a token");
        let foreign = other.issue("ann", Role::User, NOW_MS + 5_000).expect("a token");
        // {"alg":"none"} and {"sub":"ann","exp":9999999999}, without a signature.
        let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4iLCJleHAiOjk5OTk5OTk5OTl9.";
        let body = token.split('.').nth(1).expect("three parts");
        // {"alg":"HS384","typ":"JWT"} over our own body and signature.
        let relabelled = token.replacen(
            token.split('.').next().expect("three parts"),
            "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9",
            1,
        );
        let timeless = auth
            .keys
            .sign(&Claims { sub: "ann".into(), exp: NumericDate(0), nbf: None, role: None })
            .expect("a token");
        let early = auth.keys.sign(&Claims {
            sub: "ann".into(),
            exp: NumericDate(u64::MAX),
            nbf: Some(NumericDate(NOW_MS * 2)),
            role: None,
        });
        let stranger = auth.keys.sign(&Claims {
            sub: "ann".into(),
            exp: NumericDate(u64::MAX),
            nbf: None,
            role: Some("root".into()),
        });
        let nameless = auth.keys.sign(&Claims {
            sub: "no/slash".into(),
            exp: NumericDate(u64::MAX),
            nbf: None,
            role: None,
        });
        for wrong in [
            "Bearer",
            "Bearer ",
            "Basic abc",
            "Bearer a.b.c",
            &format!("Bearer {foreign}"),
            &format!("Bearer {unsigned}"),
            &format!("Bearer {relabelled}"),
            &format!("Bearer x.{body}.x"),
            &format!("Bearer {timeless}"),
            &format!("Bearer {}", early.expect("a token")),
            &format!("Bearer {}", stranger.expect("a token")),
            &format!("Bearer {}", nameless.expect("a token")),
        ] {
            assert!(auth.identify(&headers(wrong), NOW_MS).is_err(), "{wrong} must be refused");
        }
        assert!(auth.identify(&HeaderMap::new(), NOW_MS).is_err(), "no header must be refused");
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert!(Auth::new(&SecretString::from("too short")).is_err());
    }
}
