//! Would catch a token that is taken by a key of another algorithm, whoever made it and whatever its
//! header says; and arithmetic that differs from that of the standards.

use jsonwebtoken::{Algorithm, DecodingKey};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::maker::{Maker, base64url, mac, message, set};
use super::*;
use crate::http::auth::key::Signing;

fn makers() -> Vec<Maker> {
    let signing = Signing::ALL.iter();
    signing.map(|signing| Maker::new(*signing, &signing.name().to_lowercase())).collect()
}

fn auth_of(makers: &[Maker]) -> Auth {
    let auth = Auth::without_secret();
    auth.replace_keys(&set(makers)).expect("a set");
    auth
}

fn claims(user: &str) -> Value {
    json!({"sub": user, "exp": NOW_MS / 1000 + 60})
}

#[test]
fn each_algorithm_is_verified_by_its_own_key_alone() {
    let makers = makers();
    let auth = auth_of(&makers);
    for maker in &makers {
        let token = maker.token(&claims("ann"));
        assert_eq!(user(&auth, &token).as_deref(), Ok("ann"), "{:?}", maker.signing);
        assert_eq!(user(&auth, &token).as_deref(), Ok("ann"), "remembered");
        // Another key of the same algorithm, under this one's name.
        if maker.signing != Signing::Rs256 {
            let other = Maker::new(maker.signing, &maker.kid);
            assert!(user(&auth, &other.token(&claims("ann"))).is_err(), "{:?}", maker.signing);
        }
        let parts: Vec<&str> = token.split('.').collect();
        let forged = base64url(claims("bob").to_string());
        assert!(user(&auth, &format!("{}.{forged}.{}", parts[0], parts[2])).is_err());
        for cut in ["", "AA", &parts[2][..parts[2].len() - 4]] {
            assert!(user(&auth, &format!("{}.{}.{cut}", parts[0], parts[1])).is_err(), "{cut}");
        }
    }
}

/// What a token's header says of its algorithm, besides what keys are for.
const LABELS: [&str; 12] = [
    "HS256", "RS256", "ES256", "EdDSA", "HS384", "HS512", "RS512", "PS256", "ES384", "none",
    "None", "",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_token_verifies_under_a_key_of_another_algorithm(
        signer in 0_usize..4, named in 0_usize..4, label in 0_usize..LABELS.len(), extra: bool,
    ) {
        let makers = makers();
        let auth = auth_of(&makers);
        let mut header = json!({"alg": LABELS[label], "kid": makers[named].kid});
        if extra {
            // Keys that come with a token are nobody's.
            header["jwk"] = makers[signer].jwk();
            header["jku"] = json!("http://127.0.0.1:9/keys");
        }
        let token = makers[signer].sign(&header, &claims("ann"));
        let is_sound = signer == named && LABELS[label] == makers[named].signing.name();
        prop_assert_eq!(user(&auth, &token).is_ok(), is_sound);
    }

    #[test]
    fn nothing_public_is_a_secret(named in 0_usize..4, label in 0_usize..LABELS.len()) {
        let makers = makers();
        let auth = auth_of(&makers);
        let header = json!({"alg": LABELS[label], "kid": makers[named].kid});
        let message = message(&header, &claims("ann"));
        for public in makers[named].public_bytes() {
            let signature = base64url(mac(&public, message.as_bytes()));
            let token = format!("{message}.{signature}");
            prop_assert!(user(&auth, &token).is_err());
        }
    }
}

#[test]
fn a_token_of_no_algorithm_is_refused() {
    let makers = makers();
    let auth = auth_of(&makers);
    for kid in makers.iter().map(|maker| json!(maker.kid)).chain([Value::Null]) {
        for alg in ["none", "NONE", "nOnE"] {
            let message = message(&json!({"alg": alg, "kid": kid}), &claims("ann"));
            assert!(user(&auth, &format!("{message}.")).is_err(), "{alg}");
            assert!(user(&auth, &message).is_err(), "{alg}");
        }
    }
}

/// What the examples of RFC 7515 (A.1 to A.3) and RFC 8037 (A.4) say is signed, is.
#[test]
fn the_examples_of_the_standards_verify() {
    crypto::install();
    let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let secret =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let secret = json!({"kty": "oct", "k": secret});
    let secret = serde_json::from_value(secret).expect("a key");
    let rsa = Maker::new(Signing::Rs256, "a2").jwk();
    let rsa = serde_json::from_value(rsa).expect("a key");
    for (algorithm, key, header, payload, signature) in [
        (
            Algorithm::HS256,
            DecodingKey::from_jwk(&secret),
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
            payload,
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        ),
        (
            Algorithm::RS256,
            DecodingKey::from_jwk(&rsa),
            "eyJhbGciOiJSUzI1NiJ9",
            payload,
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        ),
        (
            Algorithm::ES256,
            DecodingKey::from_ec_components(
                "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            ),
            "eyJhbGciOiJFUzI1NiJ9",
            payload,
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
        (
            Algorithm::EdDSA,
            DecodingKey::from_ed_components("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
            "eyJhbGciOiJFZERTQSJ9",
            "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
    ] {
        let key = key.expect("the example's key");
        let verifies = |message: &str| {
            jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, algorithm)
                .expect("a signature can be looked at")
        };
        assert!(verifies(&format!("{header}.{payload}")), "{algorithm:?}");
        assert!(!verifies(&format!("{header}.{payload}A")), "{algorithm:?}");
    }
}
