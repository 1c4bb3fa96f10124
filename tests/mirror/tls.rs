//! Would catch a mirror that speaks in the clear where it must not, and one that trusts a server it
//! should not.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use crate::lab::Lab;
use crate::mall::Mall;

/// A certificate for this machine and its key, signed by an authority of one's own: the files of
/// all three.
struct Certificates {
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificates {
    fn new(dir: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"))
            .expect("a certificate");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &ca).expect("a certificate");
        let file = |name: &str, text: &str| {
            let path = dir.join(name);
            std::fs::write(&path, text).expect("the file is written");
            path
        };
        Self {
            ca: file("ca.pem", &ca.pem()),
            certificate: file("cert.pem", &certificate.pem()),
            key: file("key.pem", &key.serialize_pem()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_encrypted_and_the_server_must_be_the_right_one() {
    let dir = TempDir::new().expect("a directory");
    let ours = Certificates::new(dir.path(), "127.0.0.1");
    let (certificate, key) = (ours.certificate.display(), ours.key.display());
    let lab = Lab::own(&[&format!("--ssl-cert={certificate}"), &format!("--ssl-key={key}")]).await;
    lab.execute(&["alter user stockhold@'%' require ssl"]).await;

    let mut mall = Mall::new();
    mall.serve(&lab.url(), &[]);
    let status =
        mall.until("a refusal in the clear", |status| status["state"] == "misconfigured").await;
    assert!(status["lastError"].to_string().contains("Access denied"), "{status}");
    mall.stop();

    // Nobody public has signed it.
    mall.serve(&format!("{}?require_ssl=true", lab.url()), &[]);
    let status = mall
        .until("a server that is not trusted", |status| status["state"] == "misconfigured")
        .await;
    assert!(status["lastError"].to_string().contains("UnknownIssuer"), "{status}");
    mall.stop();

    let ca = ["--mirror-ca", ours.ca.to_str().expect("a path in UTF-8")];
    mall.serve(&lab.url(), &ca);
    mall.until("a server that is trusted", |status| status["state"] == "following").await;
    mall.stock_up().await;
    mall.mirrored().await;
    let (code, printed, log) = mall.mirror(&[&["check"], &ca[..]].concat(), &lab.url());
    assert!(code == 0 && printed.contains(" 0 differences"), "{printed}{log}");
    lab.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_with_another_name_is_trusted_where_the_name_does_not_matter_and_its_signer_does()
 {
    let dir = TempDir::new().expect("a directory");
    let ours = Certificates::new(dir.path(), "db.internal");
    let (certificate, key) = (ours.certificate.display(), ours.key.display());
    let lab = Lab::own(&[&format!("--ssl-cert={certificate}"), &format!("--ssl-key={key}")]).await;
    lab.execute(&["alter user stockhold@'%' require ssl"]).await;
    let ca = ["--mirror-ca", ours.ca.to_str().expect("a path in UTF-8")];

    let mut mall = Mall::new();
    mall.serve(&lab.url(), &ca);
    let status =
        mall.until("a name that is another", |status| status["state"] == "misconfigured").await;
    assert!(status["lastError"].to_string().contains("db.internal"), "{status}");
    mall.stop();

    let anyhow = format!("{}?require_ssl=true&verify_identity=false", lab.url());
    mall.serve(&anyhow, &ca);
    mall.stock_up().await;
    mall.mirrored().await;
    mall.stop();

    let elsewhere = TempDir::new().expect("a directory");
    let others = Certificates::new(elsewhere.path(), "db.internal");
    mall.serve(&anyhow, &["--mirror-ca", others.ca.to_str().expect("a path in UTF-8")]);
    mall.until("a signer that is not trusted", |status| status["state"] == "misconfigured").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_is_taken_whatever_is_said_of_encryption() {
    let lab = Lab::own(&[]).await;
    let (_, socket) = lab.row::<(String, String)>("show variables like 'socket'").await;
    let mut mall = Mall::new();
    mall.serve(&format!("{}?socket={socket}&require_ssl=true", lab.url()), &[]);
    mall.stock_up().await;
    mall.mirrored().await;
}
