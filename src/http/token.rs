//! Bearer tokens: JSON Web Tokens signed with HS256, and nothing else.
//!
//! The token library is given this module's HMAC-SHA256 as its only cryptography, so that neither RSA nor elliptic
//! curves are compiled in, and a token that asks for another algorithm finds none.

use hmac::{Hmac, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind as JwtErrorKind, Result as JwtResult};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use signature::{Signer, Verifier};

use crate::error::{Error, Result};
use crate::types::TimeMs;

/// What a token says.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The user.
    pub(crate) sub: String,
    /// When it stops being valid, in seconds since 1970.
    pub(crate) exp: u64,
    /// When it starts being valid, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nbf: Option<u64>,
    /// `user` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<String>,
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
        // `Auth` checks times itself, on every request and by the engine's clock.
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self { encoding: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret), validation }
    }

    pub(super) fn sign(&self, claims: &Claims) -> Result<String> {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.encoding)
            .map_err(|cause| Error::invalid("the token cannot be made").with_source(cause))
    }

    /// The claims of a token whose signature is ours; its times are not looked at.
    pub(super) fn verify(&self, token: &str) -> Option<Claims> {
        let data = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).ok()?;
        // RFC 7515, 4.1.11: who does not understand what is critical refuses. We understand no extension.
        data.header.crit.is_none().then_some(data.claims)
    }
}

impl Claims {
    /// Whether the token is valid at this moment.
    pub(super) fn is_current(&self, now_ms: TimeMs) -> bool {
        let now_s = now_ms / 1000;
        now_s < self.exp && self.nbf.is_none_or(|nbf| nbf <= now_s)
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
