//! What a token says.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::base::TimeMs;
use crate::base::error::Result;

/// The claims that are looked at; others are ignored.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Claims {
    /// The user.
    pub(super) sub: String,
    /// When it stops being valid.
    pub(super) exp: NumericDate,
    /// When it starts being valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nbf: Option<NumericDate>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) iat: Option<NumericDate>,
    /// `user` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<String>,
    /// Who made it; looked at where somebody is expected to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) iss: Option<Value>,
    /// Whom it is for: one, or a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) aud: Option<Value>,
    /// Of a link, which is no bearer token: how many seconds the session lasts that it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<u64>,
}

/// A time of RFC 7519: seconds since 1970, which may have a fraction. Kept as its time in
/// milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NumericDate(pub(super) TimeMs);

impl NumericDate {
    /// Rounded down to a second.
    pub(super) fn whole(at_ms: TimeMs) -> Self {
        Self(at_ms / 1000 * 1000)
    }
}

impl Serialize for NumericDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 % 1000 {
            0 => serializer.serialize_u64(self.0 / 1000),
            // Exact to the millisecond for all times until the year 200,000.
            _ => serializer.serialize_f64(self.0 as f64 / 1000.0),
        }
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let ms = match (number.as_u64(), number.as_f64()) {
            (Some(seconds), _) => Some(seconds.saturating_mul(1000)),
            // A conversion that saturates: a date far in the future is one that never comes.
            (None, Some(seconds)) if seconds >= 0.0 => Some((seconds * 1000.0).round() as TimeMs),
            _ => None,
        };
        ms.map(Self).ok_or_else(|| D::Error::custom("a date is a number of seconds since 1970"))
    }
}

/// Why a token is not good at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutOfTime {
    Expired,
    NotYet,
}

/// Who is expected to have made tokens, and for whom. Nothing is looked at where nobody is.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    pub(super) issuer: Option<Box<str>>,
    pub(super) audience: Option<Box<str>>,
}

/// Why a token is not from whom it should be, or not for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stray {
    NoIssuer,
    Issuer,
    NoAudience,
    Audience,
}

impl Claims {
    /// Whether the token is from whom it should be, and for us (RFC 7519, 4.1.1 and 4.1.3). Names are
    /// compared as they are.
    pub(super) fn check_names(&self, expected: &Expected) -> Result<(), Stray> {
        if let Some(issuer) = &expected.issuer {
            match &self.iss {
                None | Some(Value::Null) => return Err(Stray::NoIssuer),
                Some(found) if found.as_str() == Some(issuer) => {}
                Some(_) => return Err(Stray::Issuer),
            }
        }
        if let Some(audience) = &expected.audience {
            let is_ours = |value: &Value| value.as_str() == Some(audience);
            match &self.aud {
                None | Some(Value::Null) => return Err(Stray::NoAudience),
                Some(Value::Array(all)) if all.iter().any(is_ours) => {}
                Some(one) if is_ours(one) => {}
                Some(_) => return Err(Stray::Audience),
            }
        }
        Ok(())
    }

    /// Whether the token is valid at this moment, for clocks that differ by `leeway_ms`.
    ///
    /// A token of the future is not taken: it would be newer than a revocation that is meant for it.
    pub(super) fn check_time(&self, now_ms: TimeMs, leeway_ms: u64) -> Result<(), OutOfTime> {
        let latest_ms = now_ms.saturating_add(leeway_ms);
        let begun = |from: NumericDate| from.0 <= latest_ms;
        if now_ms >= self.exp.0.saturating_add(leeway_ms) {
            Err(OutOfTime::Expired)
        } else if self.nbf.is_none_or(begun) && self.iat.is_none_or(begun) {
            Ok(())
        } else {
            Err(OutOfTime::NotYet)
        }
    }
}
