//! Would catch lines that nobody's parser reads, that do not say whose request they are of, or that
//! show who somebody is; and a file of the log that is not rotated, or not opened anew.
#![allow(clippy::disallowed_methods, reason = "the test reads files")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use hyper::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Client, Process, demo_token, stockhold};

struct Place {
    dir: TempDir,
    log: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        let log = dir.path().join("mall-service-1.log");
        Self { dir, log }
    }

    /// The demo, with its log in the file.
    fn serve(&self, args: &[&str]) -> Process {
        let path = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
        let mut command = stockhold(&["serve", "--demo", "--listen", "127.0.0.1:0"]);
        command.args(["--data-dir", &path(&self.dir.path().join("data"))]);
        command.args(["--log-file", &path(&self.log)]).args(args);
        Process::start(&mut command)
    }

    async fn client(&self, server: &Process, user: &str, role: &str) -> Client {
        let token = demo_token(&self.dir.path().join("data"), user, role);
        Client::connect(server.address, Some(token)).await
    }

    /// What the log's file says, once it says `text`.
    fn until(&self, text: &str) -> String {
        let began = Instant::now();
        loop {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            if log.contains(text) {
                return log;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "no {text:?} in {log}");
            std::thread::yield_now();
        }
    }
}

/// Each line, which is JSON in the shape of the mall's document.
fn lines(log: &str) -> Vec<Value> {
    let line = |line: &str| {
        let line: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for field in ["timestamp", "service", "operation", "level"] {
            assert!(line[field].is_string(), "{field} of {line}");
        }
        assert!(line["details"].is_object() && line.get("userId").is_some(), "{line}");
        line
    };
    log.lines().map(line).collect()
}

#[tokio::test]
async fn each_line_of_a_request_says_its_name_and_none_says_who_somebody_is() {
    let place = Place::new();
    let server = place.serve(&["--log-format", "json", "--log-requests", "all"]);
    let mut demo = place.client(&server, "demo", "user").await;
    let mut admin = place.client(&server, "root", "admin").await;
    let delivery = json!({"name": "张三丰", "phone": "13800138000", "address": "武当山紫霄宫9号"});
    let body = json!({"productId": "prod_movie", "quantity": 1, "deliveryInfo": delivery});
    let request = demo.post_request("/api/mall/exchange").header("X-Request-Id", "sale-1");
    assert_eq!(demo.send(request, body.to_string()).await.status, 200);
    // What is wrong with it is said to the client, and to nobody else.
    let wrong = json!({"productId": "prod_movie", "quantity": "张三丰 13800138000"});
    let request = demo.post_request("/api/mall/exchange").header("X-Request-Id", "sale-2");
    assert_eq!(demo.send(request, wrong.to_string()).await.status, 400);
    // A line of the mall's own, and not only of the answer.
    let request = admin.post_request("/api/admin/revocations").header("X-Request-Id", "revoke-1");
    let body = json!({"userId": "13900139000"}).to_string();
    assert_eq!(admin.send(request, body).await.status, 200);
    let gone = admin.request(Method::GET, "/nowhere").header("X-Request-Id", "gone-1");
    assert_eq!(admin.send(gone, "").await.status, 404);
    server.signal(Signal::TERM);
    let (code, log) = server.wait();
    assert_eq!((code, log.as_str()), (0, ""), "the log goes to the file alone");

    let log = std::fs::read_to_string(&place.log).expect("a text");
    let all = lines(&log);
    let of = |id: &str| all.iter().filter(|line| line["requestId"] == id).collect::<Vec<_>>();
    let [sale] = of("sale-1")[..] else { panic!("one line of a sale: {log}") };
    assert_eq!(
        (&sale["operation"], &sale["userId"], &sale["level"], &sale["service"]),
        (&json!("POST /api/mall/exchange"), &json!("demo"), &json!("info"), &json!("mall-service"))
    );
    assert_eq!(
        (&sale["details"]["status"], &sale["details"]["message"]),
        (&json!(200), &json!("answered"))
    );
    assert_eq!(of("sale-2").len(), 1, "{log}");
    let revoked = of("revoke-1");
    assert!(revoked.len() == 2 && revoked.iter().all(|line| line["userId"] == "root"), "{log}");
    assert!(revoked.iter().any(|line| line["details"]["user"] == "[phone]"), "{log}");
    let [gone] = of("gone-1")[..] else { panic!("one line of it: {log}") };
    assert_eq!(gone["operation"], "http", "it found no route");
    for hidden in ["13800138000", "13900139000", "张三丰", "武当山", "紫霄宫", "eyJ"] {
        assert!(!log.contains(hidden), "{hidden} in {log}");
    }
}

#[tokio::test]
async fn a_sale_writes_nothing_unless_it_is_asked_for() {
    let place = Place::new();
    let server = place.serve(&["--log-format", "json"]);
    let mut demo = place.client(&server, "demo", "user").await;
    let body = json!({"productId": "prod_movie", "quantity": 1});
    assert_eq!(demo.post("/api/mall/exchange", body).await.status, 200);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().0, 0);
    let log = std::fs::read_to_string(&place.log).expect("a text");
    assert!(lines(&log).iter().all(|line| line.get("requestId").is_none()), "{log}");
}

#[tokio::test]
async fn a_file_that_logrotate_moved_away_is_opened_anew_on_sighup() {
    let place = Place::new();
    let server = place.serve(&["--log-requests", "all"]);
    let mut demo = place.client(&server, "demo", "user").await;
    let ask = |demo: &Client, id: &str| {
        demo.request(Method::GET, "/api/mall/products").header("X-Request-Id", id)
    };
    let one = ask(&demo, "before-1");
    assert_eq!(demo.send(one, "").await.status, 200);
    place.until("before-1");
    let away = place.dir.path().join("mall-service-1.log.1");
    std::fs::rename(&place.log, &away).expect("it moves");
    server.signal(Signal::HUP);
    place.until("opened anew");
    let two = ask(&demo, "after-1");
    assert_eq!(demo.send(two, "").await.status, 200, "SIGHUP ends nothing");
    let log = place.until("after-1");
    assert!(!log.contains("before-1"), "{log}");
    let before = std::fs::read_to_string(&away).expect("a text");
    assert!(before.contains("request=before-1") && !before.contains("after-1"), "{before}");
}

#[tokio::test]
async fn a_long_file_is_put_aside_and_few_are_kept() {
    let place = Place::new();
    let bounds = ["--log-file-bytes", "2000", "--log-files-kept", "2"];
    let server = place.serve(&[&bounds[..], &["--log-requests", "all"]].concat());
    let mut demo = place.client(&server, "demo", "user").await;
    for _ in 0..100 {
        assert_eq!(demo.get("/api/mall/products").await.status, 200);
    }
    server.signal(Signal::TERM);
    assert_eq!(server.wait().0, 0);
    let entries = std::fs::read_dir(place.dir.path()).expect("a directory");
    let logs = entries.map(|it| it.expect("an entry")).filter(|it| it.path().is_file());
    let mut sizes: Vec<_> = logs
        .map(|it| {
            (it.file_name().into_string().expect("UTF-8"), it.metadata().expect("a file").len())
        })
        .collect();
    sizes.sort();
    let names: Vec<_> = sizes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["mall-service-1.log", "mall-service-1.log.1", "mall-service-1.log.2"]);
    assert!(sizes.iter().all(|(_, bytes)| *bytes <= 2000), "{sizes:?}");
}

/// A server that was off at midnight begins the new day with a file of its own.
#[tokio::test]
async fn a_file_of_yesterday_is_put_aside() {
    let place = Place::new();
    std::fs::write(&place.log, "what was\n").expect("it is written");
    let yesterday = SystemTime::now() - Duration::from_secs(24 * 3_600);
    let file = std::fs::File::options().append(true).open(&place.log).expect("it is there");
    file.set_modified(yesterday).expect("a time");
    let server = place.serve(&["--log-file-period", "day", "--log-requests", "all"]);
    let mut demo = place.client(&server, "demo", "user").await;
    assert_eq!(demo.get("/api/mall/products").await.status, 200);
    assert!(!place.until("answered").contains("what was"));
    let aside = place.dir.path().join("mall-service-1.log.1");
    assert_eq!(std::fs::read_to_string(aside).expect("a text"), "what was\n");
    server.signal(Signal::TERM);
    assert_eq!(server.wait().0, 0);
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_before_anything_is_made() {
    let place = Place::new();
    let data = place.dir.path().join("data");
    let mut command = stockhold(&["serve", "--demo", "--listen", "127.0.0.1:0", "--data-dir"]);
    command.arg(&data).args(["--log-file", "/no/such/directory/log"]);
    let (code, printed, log) = crate::support::run(&mut command);
    assert_eq!((code, printed.as_str()), (1, ""), "{log}");
    assert!(
        log.contains("log_file /no/such/directory/log") && log.contains("No such file"),
        "{log}"
    );
    assert!(!data.exists(), "nothing was made");
}
