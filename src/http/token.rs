//! Bearer tokens: JSON Web Tokens signed with HS256, and nothing else.
//!
//! The token library is given this module's HMAC-SHA256 as its only cryptography, so that neither
//! RSA nor elliptic curves are compiled in, and a token that asks for another algorithm finds none.

use hmac::{Hmac, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind as JwtErrorKind, Result as JwtResult};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;
use signature::{Signer, Verifier};

use crate::base::TimeMs;
use crate::base::error::{Error, Result};

/// What a token says.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The user.
    pub(crate) sub: String,
    /// When it stops being valid.
    pub(crate) exp: NumericDate,
    /// When it starts being valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nbf: Option<NumericDate>,
    /// `user` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<String>,
}

/// A time of RFC 7519: seconds since 1970, which may have a fraction. Kept as its time in
/// milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NumericDate(pub(crate) TimeMs);

impl Serialize for NumericDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Whole seconds, rounded down: a token is never valid for longer than was asked.
        serializer.serialize_u64(self.0 / 1000)
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let ms = match (number.as_u64(), number.as_f64()) {
            (Some(seconds), _) => Some(seconds.saturating_mul(1000)),
            // A conversion that saturates: a date far in the future is one that never comes.
            (None, Some(seconds)) if seconds >= 0.0 => Some((seconds * 1000.0) as TimeMs),
            _ => None,
        };
        ms.map(Self).ok_or_else(|| D::Error::custom("a date is a number of seconds since 1970"))
    }
}

/// The keys made of one secret.
pub(super) struct Keys {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl Keys {
    pub(super) fn new(secret: &[u8]) -> Self {
        // Fails when it was installed before, which leaves the same provider in place.
        let _ = PROVIDER.install_default();
        let mut validation = Validation::new(Algorithm::HS256);
        // `Auth` checks times itself, on every request and by the machine's clock.
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
        }
    }

    pub(super) fn sign(&self, claims: &Claims) -> Result<String> {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.encoding)
            .map_err(|cause| Error::invalid("the token cannot be made").with_source(cause))
    }

    /// The claims of a token whose signature is ours; its times are not looked at.
    pub(super) fn verify(&self, token: &str) -> Option<Claims> {
        let data = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).ok()?;
        // RFC 7515, 4.1.11: a reader that does not understand what is critical must refuse. We
        // understand no extension.
        data.header.crit.is_none().then_some(data.claims)
    }
}

impl Claims {
    /// Whether the token is valid at this moment, for clocks that differ by `leeway_ms`.
    pub(super) fn is_current(&self, now_ms: TimeMs, leeway_ms: u64) -> bool {
        let begun = |from: NumericDate| from.0 <= now_ms.saturating_add(leeway_ms);
        now_ms < self.exp.0.saturating_add(leeway_ms) && self.nbf.is_none_or(begun)
    }
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| {
        only_hs256(*algorithm)?;
        Ok(Box::new(Hs256(mac(key.as_bytes())?)))
    },
    verifier_factory: |algorithm, key| {
        only_hs256(*algorithm)?;
        Ok(Box::new(Hs256(mac(key.try_get_as_bytes()?)?)))
    },
    key_utils: KeyUtils::new_unimplemented(),
};

fn only_hs256(algorithm: Algorithm) -> JwtResult<()> {
    if algorithm == Algorithm::HS256 { Ok(()) } else { Err(JwtErrorKind::InvalidAlgorithm.into()) }
}

fn mac(key: &[u8]) -> JwtResult<Hmac<Sha256>> {
    Hmac::new_from_slice(key).map_err(|_| JwtErrorKind::InvalidKeyFormat.into())
}

struct Hs256(Hmac<Sha256>);

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let mut mac = self.0.clone();
        mac.update(message);
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let mut mac = self.0.clone();
        mac.update(message);
        // Compares in constant time.
        mac.verify_slice(signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
impl Keys {
    /// A token of claims that no type of ours would write.
    pub(super) fn sign_text(&self, claims: &str) -> String {
        let claims: Box<serde_json::value::RawValue> =
            serde_json::from_str(claims).expect("claims are JSON");
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .expect("it can be signed")
    }
}
