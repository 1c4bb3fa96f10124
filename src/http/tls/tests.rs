use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;

struct Made {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

fn made(end_year: i32) -> Made {
    let mut params = CertificateParams::new(["shop.example".to_owned()]).expect("a name");
    params.not_after = date_time_ymd(end_year, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate").pem().into_bytes();
    Made { certificate, key: key.serialize_pem().into_bytes() }
}

fn pem(certificate: &[u8], key: &[u8], operators_ca: Option<&[u8]>) -> TlsPem {
    TlsPem {
        certificate: certificate.to_vec(),
        key: key.to_vec(),
        operators_ca: operators_ca.map(<[u8]>::to_vec),
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    let (one, other) = (made(2090), made(2090));
    let refused = |pem: TlsPem, what: &str| {
        let text = Tls::new(&pem, 0).expect_err(what).to_string();
        assert!(text.contains(what), "{text}");
    };
    refused(pem(b"", &one.key, None), "tls_certificate holds no certificate");
    refused(pem(&one.key, &one.key, None), "tls_certificate holds no certificate");
    refused(pem(&one.certificate, b"", None), "tls_key holds no private key");
    refused(pem(&one.certificate, &one.certificate, None), "tls_key holds no private key");
    refused(pem(&one.certificate, &other.key, None), "do not belong together");
    let nonsense = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    refused(pem(nonsense, &one.key, None), "tls_certificate");
    refused(pem(&one.certificate, &one.key, Some(b"")), "tls_operators_ca holds no certificate");
    refused(pem(&one.certificate, &one.key, Some(nonsense)), "tls_operators_ca");
    Tls::new(&pem(&one.certificate, &one.key, Some(&other.certificate)), 0).expect("it is right");
}

#[test]
fn a_bad_certificate_takes_no_good_ones_place() {
    let (old, new, ended) = (made(2090), made(2095), made(2020));
    let now_ms = 1_800_000_000_000;
    let of = |it: &Made| pem(&it.certificate, &it.key, None);
    let tls = Tls::new(&of(&old), now_ms).expect("it is right");
    let before = tls.expires_at();
    assert!(before.is_some_and(|end| end > now_ms));
    for wrong in [of(&ended), pem(&new.certificate, &old.key, None)] {
        tls.replace(&wrong, now_ms).expect_err("it is wrong");
        assert_eq!(tls.expires_at(), before, "the one before stays");
    }
    tls.clone().replace(&of(&new), now_ms).expect("it is right");
    assert!(tls.expires_at() > before, "a clone is the same");
    let late = Tls::new(&of(&ended), now_ms).expect("a start does not fail for it");
    assert!(late.expires_at().is_some_and(|end| end < now_ms));
}

#[test]
fn a_key_is_shown_to_nobody() {
    let made = made(2090);
    let pem = pem(&made.certificate, &made.key, None);
    let tls = Tls::new(&pem, 0).expect("it is right");
    let shown = format!("{pem:?} {tls:?}");
    assert!(!shown.contains("key:") && shown.len() < 200, "{shown}");
}
