//! Would catch a setting that is ignored, taken from the wrong place or refused without saying what
//! is allowed, a server that starts without a secret, and a secret that is printed.
#![allow(clippy::disallowed_methods, reason = "the test writes files")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use crate::support::{Client, Process, exit_code, run, stockhold};

const SECRET: &str = "a secret that is printed nowhere at all";

struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: TempDir::new().expect("a directory") }
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("stockhold.toml");
        std::fs::write(&path, text).expect("the file is written");
        path
    }

    /// `stockhold serve` that reads `file`, if any, and listens and keeps its data where nobody
    /// else does.
    fn serve(&self, file: Option<&Path>) -> Command {
        let mut command = stockhold(&["serve"]);
        command.env("STOCKHOLD_AUTH_SECRET", SECRET).env("STOCKHOLD_LISTEN", "127.0.0.1:0");
        command.env("STOCKHOLD_DATA_DIR", self.dir.path().join("data"));
        if let Some(file) = file {
            command.arg("--config").arg(file);
        }
        command
    }
}

#[test]
fn a_wrong_setting_is_named_with_what_is_allowed_wherever_it_comes_from() {
    let bounds = "from 1 to 1000000";
    for (name, value, allowed) in [
        ("listen", "nowhere", "IP:PORT"),
        ("listen", "localhost:3000", "IP:PORT"),
        ("listen", "127.0.0.1:99999", "IP:PORT"),
        ("reservation-ttl", "soon", "ms, s, m, h or d"),
        ("reservation-ttl", "15", "ms, s, m, h or d"),
        ("reservation-ttl", "0s", "from 1ms to 366d"),
        ("reservation-ttl", "367d", "from 1ms to 366d"),
        ("max-outstanding", "0", bounds),
        ("max-outstanding", "-1", bounds),
        ("max-outstanding", "many", bounds),
        ("max-connections", "1000001", bounds),
        ("max-connections-per-address", "0", bounds),
        ("idle-timeout", "never", "ms, s, m, h or d"),
        ("idle-timeout", "2d", "from 10ms to 1d"),
        ("head-timeout", "1ms", "from 10ms to 1d"),
        ("answer-memory", "0", "from 1 to"),
        ("answer-memory-per-user", "much", "from 1 to"),
        ("log-format", "xml", "text, json"),
        ("mirror-backlog-max", "0", "from 1 to"),
        ("mirror-backlog-policy", "lose", "keep, drop"),
    ] {
        let place = Place::new();
        let key = name.replace('-', "_");
        let flag = place.serve(None).arg(format!("--{name}={value}")).output();
        let environment =
            place.serve(None).env(format!("STOCKHOLD_{}", key.to_uppercase()), value).output();
        let file = place.file(&format!("{key} = \"{value}\"\n"));
        let file = place
            .serve(Some(&file))
            .env_remove(format!("STOCKHOLD_{}", key.to_uppercase()))
            .output();
        for (from, output) in [("flag", flag), ("environment", environment), ("file", file)] {
            let (code, printed, log) = exit_code(output.expect("the program runs"));
            assert_eq!((code, printed.as_str()), (1, ""), "{name} from the {from}: {log}");
            for part in [key.as_str(), value, allowed] {
                assert!(
                    log.contains(part),
                    "{name} = {value} from the {from} must name {part:?}: {log}"
                );
            }
        }
        assert!(!place.dir.path().join("data").exists(), "nothing was made");
    }
}

#[test]
fn a_file_says_only_what_is_known() {
    for (text, parts) in [
        ("colour = \"red\"", &["colour", "listen", "data_dir", "reservation_ttl"][..]),
        ("listen = 3000", &["listen", "string"]),
        ("listen", &["configuration file"]),
        ("[server]\nlisten = \"127.0.0.1:0\"", &["server", "listen"]),
        ("max_connections = 1.5", &["max_connections", "number"]),
        ("auth_secret = \"short-secret\"", &["auth_secret", "32"]),
    ] {
        let place = Place::new();
        let (code, printed, log) =
            run(place.serve(Some(&place.file(text))).env_remove("STOCKHOLD_AUTH_SECRET"));
        assert_eq!((code, printed.as_str()), (1, ""), "{text}: {log}");
        assert!(!log.contains("short-secret"), "{log}");
        for part in parts {
            assert!(log.contains(part), "{text} must name {part:?}: {log}");
        }
    }
    let place = Place::new();
    let (code, _, log) = run(&mut place.serve(Some(Path::new("/no/such/file.toml"))));
    assert!(
        code == 1 && log.contains("/no/such/file.toml") && log.contains("No such file"),
        "{log}"
    );
}

#[test]
fn without_a_secret_nothing_starts() {
    for (secret, told) in [
        (None, "STOCKHOLD_AUTH_SECRET"),
        (Some(""), "STOCKHOLD_AUTH_SECRET"),
        (Some("too short"), "32"),
    ] {
        let place = Place::new();
        let mut command = place.serve(None);
        match secret {
            None => command.env_remove("STOCKHOLD_AUTH_SECRET"),
            Some(secret) => command.env("STOCKHOLD_AUTH_SECRET", secret),
        };
        let (code, printed, log) = run(&mut command);
        assert_eq!((code, printed.as_str()), (1, ""), "{log}");
        assert!(log.contains(told) && !log.contains("too short"), "{log}");
        assert!(!place.dir.path().join("data").exists(), "nothing was made");
    }
}

#[test]
fn the_secret_is_no_flag() {
    // Whoever may list processes may read flags.
    for command in ["serve", "token", "flash-sale"] {
        let (code, help, _) = run(&mut stockhold(&[command, "--help"]));
        assert_eq!(code, 0);
        assert!(!help.contains("--secret") && !help.contains("--auth-secret"), "{help}");
    }
}

#[tokio::test]
async fn a_flag_goes_before_the_environment_before_the_file_before_the_default() {
    let file = "reservation_ttl = \"3h\"\nmax_outstanding = 1\n";
    for (flag, environment, file, hours_quarters) in [
        (Some("1h"), Some("2h"), Some(file), 4),
        (None, Some("2h"), Some(file), 8),
        (None, Some(""), Some(file), 12),
        (None, None, None, 1),
    ] {
        let place = Place::new();
        let file = file.map(|text| place.file(text));
        let mut command = place.serve(file.as_deref());
        command.arg("--demo").args(flag.map(|flag| format!("--reservation-ttl={flag}")));
        if let Some(environment) = environment {
            command.env("STOCKHOLD_RESERVATION_TTL", environment);
        }
        let server = Process::start(&mut command);
        let token = token_of(place.dir.path());
        let mut demo = Client::connect(server.address, Some(token)).await;
        let body = json!({"productId": "prod_movie", "quantity": 1});
        let made = demo.post("/api/mall/exchange", body.clone()).await.data();
        let id = made["orderId"].as_str().expect("a string");
        let order = demo.get(&format!("/api/mall/orders/{id}")).await.data();
        let [created, expires] =
            ["createdAt", "expiresAt"].map(|field| order[field].as_u64().expect("a number"));
        assert_eq!(expires - created, hours_quarters * 15 * 60 * 1000);
        let second = demo.post("/api/mall/exchange", body).await;
        assert_eq!(
            second.status,
            if file.is_some() { 409 } else { 200 },
            "the cap of the file: {second:?}"
        );
    }
}

/// A configured secret goes before a demo's, for the server and for `stockhold token` alike.
fn token_of(dir: &Path) -> String {
    let mut command = stockhold(&["token", "--user", "demo", "--data-dir"]);
    let (code, printed, log) =
        run(command.arg(dir.join("data")).env("STOCKHOLD_AUTH_SECRET", SECRET));
    assert_eq!(code, 0, "{log}");
    printed.lines().last().expect("a line").to_owned()
}

#[tokio::test]
async fn a_server_and_its_tokens_read_the_same_file() {
    let place = Place::new();
    let data = place.dir.path().join("data");
    let file = place
        .file(&format!("auth_secret = \"{SECRET}\"\ndata_dir = {data:?}\nlog_format = \"json\"\n"));
    let file = file.to_str().expect("a path in UTF-8");
    let server = Process::serve(&["--config", file]);
    let (code, printed, log) = run(&mut stockhold(&[
        "token", "--user", "root", "--role", "admin", "--ttl", "5m", "--config", file,
    ]));
    assert_eq!(code, 0, "{log}");
    let token = printed.lines().last().expect("a line").to_owned();
    let mut admin = Client::connect(server.address, Some(token)).await;
    let awarded = admin.post("/api/admin/points/ann/award", json!({"points": 1})).await.data();
    assert_eq!(awarded["balance"], 1);
    assert_eq!(
        admin.get("/api/mall/products").await.data()["pagination"]["total"],
        0,
        "no demo was asked for"
    );
    server.signal(rustix::process::Signal::TERM);
    let (code, log) = server.wait();
    assert_eq!(code, 0, "{log}");
    assert!(
        log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()),
        "JSON lines: {log}"
    );
    assert!(!log.contains(SECRET), "{log}");
}

/// Without a database, too: the server starts beside one that is down, but not with a URL that is
/// none.
#[cfg(feature = "mysql")]
#[test]
fn a_mirror_that_cannot_be_is_refused_without_telling_its_password() {
    for (url, told) in [
        ("mysql://ann:hunter2@db.example", "names no database"),
        ("postgres://ann:hunter2@db.example/mall", "mysql://USER:PASSWORD@HOST:PORT/DATABASE"),
        ("hunter2", "mysql://USER:PASSWORD@HOST:PORT/DATABASE"),
    ] {
        let place = Place::new();
        let file = place.file(&format!("mirror_url = \"{url}\"\n"));
        let flag = place.serve(None).arg(format!("--mirror-url={url}")).output();
        let environment = place.serve(None).env("STOCKHOLD_MIRROR_URL", url).output();
        let file = place.serve(Some(&file)).output();
        for output in [flag, environment, file] {
            let (code, printed, log) = exit_code(output.expect("the program runs"));
            assert_eq!((code, printed.as_str()), (1, ""), "{log}");
            assert!(
                log.contains("mirror_url") && log.contains(told) && !log.contains("hunter2"),
                "{log}"
            );
        }
        assert!(!place.dir.path().join("data").exists(), "nothing was made");
    }
}
