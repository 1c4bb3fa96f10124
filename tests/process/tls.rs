//! Would catch a server that does not show a new certificate, one that shows a bad one, settings of TLS
//! that are wrong and not named, and a probe that does not speak TLS.
#![allow(clippy::disallowed_methods, reason = "the test writes certificates")]

use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{Client, Process, demo_token, run, stockhold};

/// Where a certificate and its key are.
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn in_dir(dir: &Path) -> Self {
        Self { certificate: dir.join("tls.pem"), key: dir.join("tls.key") }
    }

    /// Puts a certificate there that ends with this year, each file at once.
    fn write(&self, year: i32) {
        let mut params = CertificateParams::new(["shop.example".to_owned()]).expect("a name");
        params.not_after = date_time_ymd(year, 12, 31);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        // What is between the two is a pair that does not fit, and is not shown.
        put(&self.certificate, &certificate);
        put(&self.key, &key.serialize_pem());
    }

    fn args(&self) -> [&str; 4] {
        let path = |path: &'_ Path| path.to_str().expect("a path in UTF-8").to_owned();
        let [certificate, key] = [&self.certificate, &self.key].map(|it| path(it).leak() as &str);
        ["--tls-certificate", certificate, "--tls-key", key]
    }
}

fn put(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).expect("it is written");
    std::fs::rename(new, path).expect("it is renamed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_replaced_while_the_server_runs_and_a_bad_one_is_not_shown() {
    let dir = TempDir::new().expect("a directory");
    let (data, files) = (dir.path().join("data"), Files::in_dir(dir.path()));
    files.write(2089);
    let path = data.to_str().expect("a path in UTF-8");
    let more = ["--demo", "--data-dir", path, "--listen", "tls:127.0.0.1:0"];
    let mut server = Process::serve(&[&more[..], &files.args()[..]].concat());
    server.read_to("https://");
    let secured = server.printed.trim_end().rsplit("https://").next().expect("an address");
    let secured = format!("tls:{secured}");
    let (code, printed, log) = run(&mut stockhold(&["probe", "ready", "--listen", &secured]));
    assert_eq!(code, 0, "{printed}{log}");
    let monitor = Some(demo_token(&data, "prometheus", "monitor"));
    let mut monitor = Client::connect(server.address, monitor).await;
    let mut ends = async || {
        let metrics = monitor.get("/metrics").await;
        let text = String::from_utf8(metrics.body.to_vec()).expect("a text");
        let name = "stockhold_tls_certificate_expiry_time_seconds ";
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|number| number.parse::<f64>().ok()).expect("a number") as u64
    };
    assert_eq!(ends().await, 3_786_825_600);
    put(&files.key, "no key at all");
    server.signal(Signal::HUP);
    server.read_log_to("the certificate and the key of TLS stay as they were");
    assert_eq!(ends().await, 3_786_825_600, "the one before stays");
    files.write(2091);
    server.signal(Signal::HUP);
    server.read_log_to("another certificate is shown to clients");
    assert_eq!(ends().await, 3_849_897_600);
    let (code, printed, log) = run(&mut stockhold(&["probe", "ready", "--listen", &secured]));
    assert_eq!(code, 0, "{printed}{log}");
}

#[test]
fn what_is_wrong_is_named() {
    let dir = TempDir::new().expect("a directory");
    let files = Files::in_dir(dir.path());
    files.write(2089);
    let data = dir.path().join("data");
    let data = data.to_str().expect("a path in UTF-8");
    let refused = |args: &[&str], why: &[&str]| {
        for begin in [&["serve"][..], &["serve", "--check-config"]] {
            let shop = ["--demo", "--data-dir", data];
            let (code, _, log) = run(&mut stockhold(&[begin, &shop[..], args].concat()));
            assert!(code != 0 && why.iter().all(|part| log.contains(part)), "{code}: {log}");
        }
    };
    let listen = ["--listen", "tls:127.0.0.1:0"];
    refused(&listen, &["tls:127.0.0.1:0 needs a certificate", "tls_certificate", "tls_key"]);
    let [certificate, its_path, key, path] = files.args();
    refused(&[certificate, its_path], &["tls_certificate needs tls_key"]);
    refused(&[key, path], &["tls_key needs tls_certificate"]);
    refused(&[certificate, path, key, path], &["tls_certificate holds no certificate"]);
    refused(&[certificate, its_path, key, its_path], &["tls_key holds no private key"]);
    refused(&[certificate, "/nowhere/x.pem", key, path], &["/nowhere/x.pem"]);
    refused(&["--trusted-proxies", "10.1.2.3/8"], &["trusted_proxies", "10.1.2.3/8", "10.0.0.0/8"]);
    refused(&["--proxy-protocol", "v3"], &["proxy_protocol", "off, on"]);
}
