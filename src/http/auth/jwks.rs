//! Keys as JSON Web Keys have them: RFC 7517, with RFC 7518 for secrets, RSA and P-256, and RFC 8037
//! for Ed25519.

use std::collections::HashSet;

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde_json::Value;

use super::key::{Key, Signing};
use crate::base::error::{Error, Result};

/// The most keys of a set.
pub(super) const KEYS_MAX: usize = 256;
/// The longest `kid`, in bytes.
pub(super) const KID_BYTES_MAX: usize = 128;
/// The shortest secret, in bytes.
pub(crate) const SECRET_BYTES_MIN: usize = 32;
/// The shortest modulus of RSA, in bytes: RFC 7518, 3.3.
const MODULUS_BYTES_MIN: usize = 256;

/// Where a set comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// An operator wrote it for this server: what is wrong in it is a mistake.
    File,
    /// Somebody publishes it for many: what is wrong in it is left out, and so are secrets, which
    /// nobody publishes.
    Url,
}

/// The keys of a set, and what was left out of it.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) keys: Vec<Key>,
    /// For the log: which key, and why.
    pub(super) left_out: Vec<String>,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// Why a key of a set is not used.
enum Unused {
    /// It is for something else than tokens of ours: RFC 7517, 5, lets it be.
    Foreign(&'static str),
    /// It cannot be what it says.
    Wrong(&'static str),
}

use Unused::{Foreign, Wrong};

/// Reads a set.
///
/// # Errors
/// `Invalid` naming the key, and never its material, when it is no set, a `kid` comes twice, or, in a
/// file, a key is not what it says.
pub(super) fn parse(text: &[u8], origin: Origin) -> Result<Parsed> {
    // What serde says of a text may quote it.
    let set: Set = serde_json::from_slice(text).map_err(|cause| {
        let (line, column) = (cause.line(), cause.column());
        Error::invalid(format!("this is no JSON Web Key Set: line {line}, column {column}"))
    })?;
    if set.keys.len() > KEYS_MAX {
        return Err(Error::invalid(format!("a set has at most {KEYS_MAX} keys")));
    }
    let (mut keys, mut left_out, mut kids) = (Vec::new(), Vec::new(), HashSet::new());
    for (at, value) in set.keys.into_iter().enumerate() {
        let kid = value.get("kid").and_then(Value::as_str).map(str::to_owned);
        let named = match &kid {
            Some(kid) if kid.len() <= KID_BYTES_MAX => format!("the key {kid:?}"),
            _ => format!("keys[{at}]"),
        };
        match (read(value, origin), origin) {
            (Ok(key), _) if !kids.insert(kid) => {
                let kid = key.kid().unwrap_or_default();
                return Err(Error::invalid(format!("two keys have the kid {kid:?}")));
            }
            (Ok(key), _) => keys.push(key),
            (Err(Wrong(why)), Origin::File) => {
                return Err(Error::invalid(format!("{named} {why}")));
            }
            (Err(Wrong(why)), Origin::Url) | (Err(Foreign(why)), _) => {
                left_out.push(format!("{named} {why}"))
            }
        }
    }
    Ok(Parsed { keys, left_out })
}

fn read(value: Value, origin: Origin) -> Result<Key, Unused> {
    let member = |name| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let is_secret = match (member("kty"), member("crv")) {
        ("oct", _) if origin == Origin::Url => return Err(Wrong("is a secret")),
        ("oct", _) => true,
        ("RSA", _) | ("EC", "P-256") | ("OKP", "Ed25519") => false,
        ("EC" | "OKP", _) => return Err(Foreign("is on a curve that is not used here")),
        _ => return Err(Foreign("is of a type that is not used here")),
    };
    if !is_secret && value.get("d").is_some() {
        return Err(Wrong("has its private part, which belongs to those who make tokens"));
    }
    let jwk: Jwk = serde_json::from_value(value).map_err(|_| Wrong("is no JSON Web Key"))?;
    let common = &jwk.common;
    let is_for_signing = |usage: &PublicKeyUse| *usage == PublicKeyUse::Signature;
    if !common.public_key_use.as_ref().is_none_or(is_for_signing) {
        return Err(Foreign("is not for signatures"));
    }
    let verifies = |operations: &Vec<KeyOperations>| operations.contains(&KeyOperations::Verify);
    if !common.key_operations.as_ref().is_none_or(verifies) {
        return Err(Foreign("is not for verifying"));
    }
    let signing = signing(&jwk.algorithm)?;
    if !common.key_algorithm.is_none_or(|named| named == algorithm(signing)) {
        return Err(Foreign("is for an algorithm that is not used here"));
    }
    let kid = common.key_id.as_deref().ok_or(Wrong("has no kid"))?;
    if kid.is_empty() || kid.len() > KID_BYTES_MAX {
        return Err(Wrong("has a kid that is empty or longer than 128 bytes"));
    }
    let decoding = DecodingKey::from_jwk(&jwk).map_err(|_| Wrong("is not in base64url"))?;
    made(kid.into(), signing, &decoding)
}

/// What a key of this type is for. Each type has one algorithm, so none can be taken for another's.
fn signing(parameters: &AlgorithmParameters) -> Result<Signing, Unused> {
    match parameters {
        AlgorithmParameters::OctetKey(_) => Ok(Signing::Hs256),
        AlgorithmParameters::RSA(_) => Ok(Signing::Rs256),
        AlgorithmParameters::EllipticCurve(it) if it.curve == EllipticCurve::P256 => {
            Ok(Signing::Es256)
        }
        AlgorithmParameters::OctetKeyPair(it) if it.curve == EllipticCurve::Ed25519 => {
            Ok(Signing::EdDsa)
        }
        // What has all that its type asks for is one of these.
        _ => Err(Wrong("is no JSON Web Key")),
    }
}

fn algorithm(signing: Signing) -> KeyAlgorithm {
    match signing {
        Signing::Hs256 => KeyAlgorithm::HS256,
        Signing::Rs256 => KeyAlgorithm::RS256,
        Signing::Es256 => KeyAlgorithm::ES256,
        Signing::EdDsa => KeyAlgorithm::EdDSA,
    }
}

/// The key, where its material is as long as it has to be.
fn made(kid: Box<str>, signing: Signing, decoding: &DecodingKey) -> Result<Key, Unused> {
    let kid = Some(kid);
    match (signing, decoding.kind()) {
        (Signing::Hs256, DecodingKeyKind::SecretOrDer(secret)) => {
            let is_long = secret.len() >= SECRET_BYTES_MIN;
            is_long.then(|| Key::secret(kid, secret)).ok_or(Wrong("has fewer than 32 bytes"))
        }
        (Signing::Rs256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            // Some write the byte of the sign, which the numbers do not have: RFC 7518, 6.3.1.1.
            let (n, e) = (stripped(n), stripped(e));
            if n.len() < MODULUS_BYTES_MIN {
                return Err(Wrong("has fewer than 2,048 bits"));
            }
            Ok(Key::new(kid, signing, DecodingKey::from_rsa_raw_components(n, e)))
        }
        (Signing::Es256, DecodingKeyKind::SecretOrDer(point)) if point.len() == 1 + 2 * 32 => {
            Ok(Key::new(kid, signing, decoding.clone()))
        }
        (Signing::EdDsa, DecodingKeyKind::SecretOrDer(point)) if point.len() == 32 => {
            Ok(Key::new(kid, signing, decoding.clone()))
        }
        _ => Err(Wrong("is not as long as a key of its type is")),
    }
}

fn stripped(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// A set of one secret, for a file.
///
/// # Errors
/// `Invalid` when the name is empty or too long.
#[cfg(feature = "bin")]
pub(crate) fn set_of_secret(kid: &str, secret: &[u8]) -> Result<String> {
    use jsonwebtoken::{Algorithm, EncodingKey};
    let wrong = |_| Error::invalid("the key cannot be written");
    let mut jwk = Jwk::from_encoding_key(&EncodingKey::from_secret(secret), Algorithm::HS256)
        .map_err(wrong)?;
    jwk.common.key_id = Some(kid.to_owned());
    let set = serde_json::json!({ "keys": [jwk] }).to_string();
    parse(set.as_bytes(), Origin::File).map(|_| set)
}
