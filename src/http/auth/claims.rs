//! What a token says.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

impl Claims {
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
