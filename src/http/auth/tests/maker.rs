//! Makers of tokens, one of each algorithm. Their keys are made anew each time, but that of RSA: nothing
//! here can make one, so it is the example of RFC 7515, appendix A.2.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair, RsaPublicKeyComponents,
};
use ring::{hmac, rsa};
use serde_json::{Value, json};

use super::super::key::Signing;

const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1\
     Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpa\
     SHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4\
     LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const D: &str = "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwV\
     ol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzj\
     kn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaF\
     QT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ";
const P: &str = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0H\
     w_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc";
const Q: &str = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7T\
     jeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc";
const DP: &str = "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-F\
     OKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0";
const DQ: &str = "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do\
     9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU";
const QI: &str = "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3yd\
     y5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U";

enum Private {
    Secret(Vec<u8>),
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// Signs with a key of its own.
pub(super) struct Maker {
    pub(super) signing: Signing,
    pub(super) kid: String,
    private: Private,
}

pub(super) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

fn rsa() -> RsaKeyPair {
    let components = rsa::KeyPairComponents {
        public_key: RsaPublicKeyComponents { n: bytes(N), e: bytes("AQAB") },
        d: bytes(D),
        p: bytes(P),
        q: bytes(Q),
        dP: bytes(DP),
        dQ: bytes(DQ),
        qInv: bytes(QI),
    };
    RsaKeyPair::from_components(&components).expect("the example's key")
}

impl Maker {
    pub(super) fn new(signing: Signing, kid: &str) -> Self {
        let random = SystemRandom::new();
        let private = match signing {
            Signing::Hs256 => {
                let mut secret = vec![0; 32];
                getrandom::fill(&mut secret).expect("random bytes");
                Private::Secret(secret)
            }
            Signing::Rs256 => Private::Rsa(rsa()),
            Signing::Es256 => {
                let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
                let pair = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random);
                Private::Ecdsa(pair.expect("a key"))
            }
            Signing::EdDsa => {
                let made = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
                Private::Ed(Ed25519KeyPair::from_pkcs8(made.as_ref()).expect("a key"))
            }
        };
        Self { signing, kid: kid.to_owned(), private }
    }

    /// Its key, as those who verify have it.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = match &self.private {
            Private::Secret(secret) => json!({"kty": "oct", "k": base64url(secret)}),
            Private::Rsa(_) => json!({"kty": "RSA", "n": N, "e": "AQAB"}),
            Private::Ecdsa(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)})
            }
            Private::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key())})
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["alg"] = json!(self.signing.name());
        jwk
    }

    /// What is public of it in every shape that a careless reader might take for a secret.
    pub(super) fn public_bytes(&self) -> Vec<Vec<u8>> {
        let raw = match &self.private {
            Private::Secret(_) => Vec::new(),
            Private::Rsa(_) => vec![bytes(N), N.into()],
            Private::Ecdsa(pair) => vec![pair.public_key().as_ref().to_vec()],
            Private::Ed(pair) => vec![pair.public_key().as_ref().to_vec()],
        };
        raw.into_iter().chain([self.jwk().to_string().into_bytes()]).collect()
    }

    pub(super) fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.private {
            Private::Secret(secret) => mac(secret, message),
            Private::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("it signs");
                signature
            }
            Private::Ecdsa(pair) => {
                pair.sign(&random, message).expect("it signs").as_ref().to_vec()
            }
            Private::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token of its own.
    pub(super) fn token(&self, claims: &Value) -> String {
        self.sign(&json!({"alg": self.signing.name(), "kid": self.kid}), claims)
    }

    /// A token whose header says what it likes.
    pub(super) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        format!("{message}.{}", base64url(self.signature(message.as_bytes())))
    }
}

pub(super) fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()))
}

pub(super) fn mac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
}

/// A set of these keys.
pub(super) fn set<'a>(makers: impl IntoIterator<Item = &'a Maker>) -> String {
    let keys: Vec<Value> = makers.into_iter().map(Maker::jwk).collect();
    json!({"keys": keys}).to_string()
}
