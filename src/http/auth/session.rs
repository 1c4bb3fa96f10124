//! Sessions of browsers: a bearer token in a cookie, and links that begin one.
//!
//! A cookie comes along by itself, whoever made the browser ask. So it counts where a request only
//! reads, which no other site can see the answer of, and otherwise where the browser says that one
//! of our own pages asked: by `Sec-Fetch-Site` (W3C Fetch Metadata), and where that is missing by
//! `Origin`.

use std::collections::HashMap;

use hyper::HeaderMap;
use hyper::header::{COOKIE, HOST, ORIGIN};
use parking_lot::Mutex;

use super::claims::{Claims, NumericDate};
use super::{Auth, Refused, Role};
use crate::base::TimeMs;
use crate::base::error::{Error, Result};
use crate::http::error::{ApiError, Code};

/// The cookie's name.
pub(in crate::http) const SESSION_COOKIE: &str = "stockhold_session";
/// For how long a link may be used.
#[cfg(any(test, feature = "bin"))]
const LINK_TTL_MS: u64 = 10 * 60_000;
/// How many used links are remembered, each until it would have ended.
const USED_MAX: usize = 10_000;

/// Which links were used.
#[derive(Debug, Default)]
pub(super) struct Used(Mutex<HashMap<[u8; 32], TimeMs>>);

/// A session that begins.
#[derive(Debug)]
pub(in crate::http) struct Session {
    pub(in crate::http) token: String,
    pub(in crate::http) role: Role,
    pub(in crate::http) ttl_s: u64,
}

/// The value of our cookie, where there is one.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    named(headers, SESSION_COOKIE).filter(|token| !token.is_empty())
}

/// The value of a cookie: RFC 6265, 5.4.
pub(in crate::http) fn named<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Whether a browser says that one of our own pages asks.
pub(in crate::http) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text =
        |name| headers.get(name).and_then(|value: &hyper::header::HeaderValue| value.to_str().ok());
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    let origin = text(ORIGIN).and_then(|origin| origin.split_once("://"));
    origin
        .zip(text(HOST))
        .is_some_and(|((_, authority), host)| authority.eq_ignore_ascii_case(host))
}

/// # Errors
/// FORBIDDEN for a request that changes something, with a cookie that another site may have made the
/// browser send.
pub(super) fn check_origin(headers: &HeaderMap) -> Result<(), ApiError> {
    if is_same_origin(headers) {
        return Ok(());
    }
    Err(ApiError::new(Code::Forbidden).detail("the request comes from another site"))
}

impl Auth {
    /// What a link has that lets whoever opens it begin a session of `user` that lasts `session_ms`:
    /// once, within ten minutes.
    ///
    /// # Errors
    /// Those of [`Auth::issue`].
    #[cfg(any(test, feature = "bin"))]
    fn issue_link(
        &self,
        kid: Option<&str>,
        user: &str,
        role: Role,
        now_ms: TimeMs,
        session_ms: u64,
    ) -> Result<String> {
        let ends_ms = now_ms.saturating_add(LINK_TTL_MS);
        self.signed(kid, user, role, Some(now_ms), ends_ms, Some(session_ms / 1000))
    }

    /// The same from now on.
    ///
    /// # Errors
    /// Those of [`Auth::issue`].
    #[cfg(feature = "bin")]
    pub(crate) fn issue_link_for(
        &self,
        kid: Option<&str>,
        user: &str,
        role: Role,
        session_ms: u64,
    ) -> Result<String> {
        use crate::base::clock::{Clock as _, SystemClock};
        self.issue_link(kid, user, role, SystemClock::default().now_ms(), session_ms)
    }

    /// Whose link it is; that it is looked at does not use it.
    ///
    /// # Errors
    /// UNAUTHORIZED when it is none, has ended, was revoked or was used.
    pub(in crate::http) fn look_at_link(
        &self,
        code: &str,
        now_ms: TimeMs,
        began_ms: TimeMs,
        is_revoked: impl Fn(&str, Option<TimeMs>) -> bool,
    ) -> Result<String, ApiError> {
        let claims = self.link_claims(code, now_ms, began_ms, is_revoked)?.0;
        if self.used_links.has(code) { Err(spent()) } else { Ok(claims.sub) }
    }

    /// The session of a link, which is used by that. `began_ms` is when this server began: what was
    /// used before is not known, so links that are older are not good.
    ///
    /// # Errors
    /// UNAUTHORIZED when it is none, has ended, was revoked or was used; OVERLOADED while too many are.
    pub(in crate::http) fn redeem(
        &self,
        code: &str,
        now_ms: TimeMs,
        began_ms: TimeMs,
        is_revoked: impl Fn(&str, Option<TimeMs>) -> bool,
    ) -> Result<Session, ApiError> {
        let (claims, key) = self.link_claims(code, now_ms, began_ms, is_revoked)?;
        let role = Role::parse(claims.role.as_deref()).ok_or(Refused::Token)?;
        let ttl_s = claims.link.unwrap_or_default();
        let ends_ms = claims.exp.0.saturating_add(self.leeway_ms);
        self.used_links.spend(code, now_ms, ends_ms)?;
        let exp = NumericDate::whole(now_ms.saturating_add(ttl_s.saturating_mul(1000)));
        let token =
            key.sign(&Claims { exp, link: None, iat: Some(NumericDate(now_ms)), ..claims })?;
        Ok(Session { token, role, ttl_s })
    }

    fn link_claims(
        &self,
        code: &str,
        now_ms: TimeMs,
        began_ms: TimeMs,
        is_revoked: impl Fn(&str, Option<TimeMs>) -> bool,
    ) -> Result<(Claims, std::sync::Arc<super::Key>), ApiError> {
        let (claims, key) = self.claims_of(code)?;
        claims.check_time(now_ms, self.leeway_ms).map_err(Refused::Time)?;
        if is_revoked(&claims.sub, claims.iat.map(|made| made.0)) {
            return Err(Refused::Revoked.into());
        }
        let is_ours = claims.link.is_some();
        if !is_ours || claims.iat.is_none_or(|made| made.0 < began_ms) {
            let why = "this is no link of this server's, or it is from before the server started";
            return Err(ApiError::new(Code::Unauthorized).detail(why));
        }
        Ok((claims, key))
    }
}

fn spent() -> ApiError {
    ApiError::new(Code::Unauthorized).detail("the link was used before")
}

impl Used {
    fn has(&self, code: &str) -> bool {
        self.0.lock().contains_key(blake3::hash(code.as_bytes()).as_bytes())
    }

    /// Uses a link that is good until `ends_ms`.
    fn spend(&self, code: &str, now_ms: TimeMs, ends_ms: TimeMs) -> Result<(), ApiError> {
        let mut used = self.0.lock();
        if used.len() >= USED_MAX {
            used.retain(|_, ends_ms| *ends_ms > now_ms);
        }
        if used.len() >= USED_MAX {
            return Err(Error::overloaded("too many links are used").into());
        }
        match used.insert(*blake3::hash(code.as_bytes()).as_bytes(), ends_ms) {
            None => Ok(()),
            Some(_) => Err(spent()),
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use secrecy::SecretString;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (hyper::header::HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        pairs.collect()
    }

    #[test]
    fn our_cookie_is_found_among_others() {
        for (cookies, found) in [
            ("stockhold_session=a.b.c", Some("a.b.c")),
            ("lang=en; stockhold_session=a; x=1", Some("a")),
            ("stockhold_sessions=a", None),
            ("xstockhold_session=a", None),
            ("stockhold_session=", None),
            ("", None),
        ] {
            assert_eq!(cookie(&headers(&[("cookie", cookies)])), found, "{cookies:?}");
        }
    }

    #[test]
    fn only_a_page_of_ours_is_believed() {
        for (pairs, believed) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "same-site"), ("origin", "http://a"), ("host", "a")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "http://Shop:80"), ("host", "shop:80")], true),
            (&[("origin", "http://shop:81"), ("host", "shop:80")], false),
            (&[("origin", "null"), ("host", "null")], false),
            (&[("host", "shop")], false),
            (&[("origin", "http://shop")], false),
        ] {
            assert_eq!(is_same_origin(&headers(pairs)), believed, "{pairs:?}");
        }
    }

    #[test]
    fn a_link_begins_one_session_and_is_no_token() {
        let secret = SecretString::from("0123456789abcdef0123456789abcdef");
        let auth = Auth::new(&secret).expect("a secret");
        let (began, now) = (1_000_000, 1_000_500);
        let never = |_: &str, _| false;
        let code = auth.issue_link(None, "ann", Role::Operator, now, 3_600_000).expect("a link");
        assert_eq!(auth.look_at_link(&code, now, began, never).ok().as_deref(), Some("ann"));
        assert!(
            auth.claims_of(&code).is_ok() && auth.verify(&code).is_err(),
            "it is no bearer token"
        );
        // Of a server that began later, and when its time is over.
        assert!(auth.look_at_link(&code, now, now + 1, never).is_err());
        assert!(auth.redeem(&code, now + LINK_TTL_MS + auth.leeway_ms, began, never).is_err());
        let is_revoked = |user: &str, at: Option<TimeMs>| user == "ann" && at <= Some(now);
        let refused = auth.look_at_link(&code, now, began, is_revoked).expect_err("it is revoked");
        assert_eq!(refused.detail.as_deref(), Some("the token was revoked"));
        auth.redeem(&code, now, began, is_revoked).expect_err("it is revoked");
        // Whoever was refused has not used it.
        let session = auth.redeem(&code, now, began, never).expect("it is good");
        assert_eq!((session.role, session.ttl_s), (Role::Operator, 3600));
        let bearer = auth.verify(&session.token).ok().expect("a bearer token");
        assert_eq!(bearer.identity.user.id(), "ann");
        let again = auth.redeem(&code, now, began, never).expect_err("it was used");
        assert_eq!(again.code, Code::Unauthorized);
        assert!(auth.look_at_link(&code, now, began, never).is_err());
        let token = auth.issue("ann", Role::User, now + 1000).expect("a token");
        assert!(auth.redeem(&token, now, began, never).is_err(), "a token is no link");
    }
}
