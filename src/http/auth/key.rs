//! One key, with the one algorithm that it is for.
//!
//! The algorithm is the key's, never the token's: a token whose header says another is refused before
//! any cryptography looks at it. So no public key can be taken for a secret.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use jsonwebtoken::errors::ErrorKind as JwtErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey, Header, Validation};

use super::claims::Claims;
use super::crypto;
use crate::base::error::{Error, Result};
use crate::base::every;

every! {
    /// What a key can be for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Signing {
        Hs256,
        Rs256,
        Es256,
        EdDsa,
    }
}

impl Signing {
    /// As the header of a token has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    fn algorithm(self) -> Algorithm {
        match self {
            Self::Hs256 => Algorithm::HS256,
            Self::Rs256 => Algorithm::RS256,
            Self::Es256 => Algorithm::ES256,
            Self::EdDsa => Algorithm::EdDSA,
        }
    }
}

/// Why a token is none of a key's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unverified {
    /// Its header asks for another algorithm than the key is for.
    Algorithm(Signing),
    /// It has another signature, or says nothing that could be read.
    Token,
}

/// A key.
pub(super) struct Key {
    kid: Option<Box<str>>,
    signing: Signing,
    decoding: DecodingKey,
    /// Of a secret, which also signs.
    encoding: Option<EncodingKey>,
    validation: Validation,
    /// Tells its material from any other, without showing it.
    fingerprint: [u8; 32],
    retired: AtomicBool,
}

// Nothing of the material.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kid", &self.kid).field("signing", &self.signing).finish()
    }
}

impl Key {
    /// A secret.
    pub(super) fn secret(kid: Option<Box<str>>, secret: &[u8]) -> Self {
        let mut key = Self::new(kid, Signing::Hs256, DecodingKey::from_secret(secret));
        key.encoding = Some(EncodingKey::from_secret(secret));
        key
    }

    /// A key that verifies.
    pub(super) fn new(kid: Option<Box<str>>, signing: Signing, decoding: DecodingKey) -> Self {
        crypto::install();
        let mut validation = Validation::new(signing.algorithm());
        // `Auth` checks times itself, on every request and by the machine's clock.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let fingerprint = fingerprint(signing, &decoding);
        let retired = AtomicBool::new(false);
        Self { kid, signing, decoding, encoding: None, validation, fingerprint, retired }
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether both are for the same, and of the same material.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }

    /// From now on nothing that it verified is good.
    pub(super) fn retire(&self) {
        // Pairs with the load of `is_retired`: whoever finds its successor finds it retired.
        self.retired.store(true, Ordering::Release);
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// # Errors
    /// `Invalid` when it is no secret.
    pub(super) fn sign(&self, claims: &Claims) -> Result<String> {
        let encoding = self.encoding.as_ref();
        let encoding = encoding
            .ok_or_else(|| Error::invalid("this key only verifies: it has no private part"))?;
        let mut header = Header::new(self.signing.algorithm());
        header.kid = self.kid.as_deref().map(str::to_owned);
        jsonwebtoken::encode(&header, claims, encoding)
            .map_err(|cause| Error::invalid("the token cannot be made").with_source(cause))
    }

    /// The claims of a token that is signed with this key; its times are not looked at.
    pub(super) fn verify(&self, token: &str) -> Result<Claims, Unverified> {
        let data = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation);
        let data = data.map_err(|error| match error.kind() {
            JwtErrorKind::InvalidAlgorithm => Unverified::Algorithm(self.signing),
            _ => Unverified::Token,
        })?;
        // RFC 7515, 4.1.11: a reader that does not understand what is critical must refuse. We
        // understand no extension.
        data.header.crit.is_none().then_some(data.claims).ok_or(Unverified::Token)
    }
}

fn fingerprint(signing: Signing, decoding: &DecodingKey) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(signing.name().as_bytes());
    match decoding.kind() {
        DecodingKeyKind::SecretOrDer(bytes) => hasher.update(bytes),
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            hasher.update(&n.len().to_le_bytes()).update(n).update(e)
        }
    };
    hasher.finalize().into()
}

#[cfg(test)]
impl Key {
    /// A token of claims that no type of ours would write.
    pub(super) fn sign_text(&self, claims: &str) -> String {
        let claims: Box<serde_json::value::RawValue> =
            serde_json::from_str(claims).expect("claims are JSON");
        let encoding = self.encoding.as_ref().expect("a secret");
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, encoding)
            .expect("it can be signed")
    }
}
