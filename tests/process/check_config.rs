//! Would catch a check of the settings that passes what `serve` refuses, names only the first thing that
//! is wrong, shows a secret, tells another origin than a value has, or leaves anything behind.
#![allow(clippy::disallowed_methods, reason = "the test writes files")]

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{Process, run, stockhold};

const SECRET: &str = "a secret that is printed nowhere at all";

fn check(dir: &Path) -> Command {
    let mut command = stockhold(&["serve", "--check-config"]);
    command.env("STOCKHOLD_AUTH_SECRET", SECRET).arg("--data-dir").arg(dir.join("data"));
    command
}

fn entries(dir: &Path) -> Vec<String> {
    let names = std::fs::read_dir(dir).expect("a directory");
    names.map(|it| it.expect("an entry").file_name().into_string().expect("UTF-8")).collect()
}

/// The row of a setting: its value, and where it comes from.
#[track_caller]
fn row(printed: &str, setting: &str) -> (String, String) {
    let row = printed.lines().find(|line| line.split_whitespace().next() == Some(setting));
    let row = row.unwrap_or_else(|| panic!("{setting} is not shown: {printed}"));
    let rest = row.trim_start()[setting.len()..].trim();
    let (value, from) = rest.split_once("  ").unwrap_or((rest, ""));
    (value.trim().to_owned(), from.trim().to_owned())
}

#[test]
fn what_is_in_force_is_shown_with_where_it_comes_from() {
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("stockhold.toml");
    let text = "reservation_ttl = \"3h\"\nmax_waiting = \"4h\"\nidle_timeout = \"80s\"\n";
    std::fs::write(&file, text).expect("the file is written");
    let mut command = check(dir.path());
    command.arg("--config").arg(&file).args(["--reservation-ttl", "1h", "--no-mirror-migrate"]);
    command.env("STOCKHOLD_MAX_WAITING", "2h").env("STOCKHOLD_LISTN", "127.0.0.1:0");
    command.env("STOCKHOLD_POINTS_SERVICE", "https://points.example");
    command.env("STOCKHOLD_POINTS_SERVICE_SECRET", "hunter2");
    command.env("STOCKHOLD_AUTH_KEYS_URL", "https://login.example/keys");
    if cfg!(feature = "mysql") {
        command.args(["--mirror-url", "mysql://ann:hunter2@db.example/mall"]);
    }
    let (code, printed, log) = run(&mut command);
    assert_eq!((code, log.as_str()), (0, ""), "{printed}");
    for (setting, value, from) in [
        ("reservation_ttl", "1h", "flag --reservation-ttl"),
        ("mirror_migrate", "false", "flag --no-mirror-migrate"),
        ("max_waiting", "2h", "STOCKHOLD_MAX_WAITING"),
        ("idle_timeout", "80s", "file"),
        ("listen", "127.0.0.1:3000", "default"),
        ("answer_memory", "256 MiB", "default"),
        ("max_outstanding", "no limit", "default"),
        ("auth_secret", "(not shown)", "STOCKHOLD_AUTH_SECRET"),
        ("points_service_secret", "(not shown)", "STOCKHOLD_POINTS_SERVICE_SECRET"),
        ("points_service", "https://points.example", "STOCKHOLD_POINTS_SERVICE"),
    ] {
        assert_eq!(row(&printed, setting), (value.into(), from.into()));
    }
    assert!(printed.contains("STOCKHOLD_LISTN is set, and is no setting"), "{printed}");
    assert!(printed.contains("stockhold.toml") && printed.contains("will be made"), "{printed}");
    assert!(!printed.contains(SECRET) && !printed.contains("hunter2"), "{printed}");
    assert_eq!(entries(dir.path()), ["stockhold.toml"], "nothing was made");
}

/// Each of these alone keeps `serve` from starting, or from doing what it was told to.
#[test]
fn everything_that_is_wrong_is_named() {
    let dir = TempDir::new().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    let write = |name: &str, text: &str| std::fs::write(at(name), text).expect("it is written");
    write("plain", "no directory");
    write("keys.json", "{\"keys\": [{\"kty\": \"oct\", \"kid\": \"a\", \"k\": \"c2hvcnQ\"}]}");
    write("backup.key", "hunter2");
    write("ca.pem", "hunter2");
    write("empty", " ");
    let plain = at("plain");
    let file = format!(
        "colour = \"red\"\nmax_connections = 1.5\nreservation_ttl = \"soon\"\nlog_file = {:?}\nreports_dir = {:?}\n",
        plain.join("log"),
        plain
    );
    write("stockhold.toml", &file);
    let mut command = stockhold(&["serve", "--check-config", "--listen", "nowhere"]);
    command.env("STOCKHOLD_AUTH_SECRET", "too short");
    command.arg("--config").arg(at("stockhold.toml")).arg("--data-dir").arg(&plain);
    command.arg("--auth-keys").arg(at("keys.json"));
    command.args(["--auth-keys-url", "http://login.example/keys"]);
    command.arg("--operators-listen").arg(format!("unix:{}", plain.join("a.sock").display()));
    command.args(["--points-service", "https://points.example"]);
    command.arg("--points-service-secret-file").arg(at("empty"));
    command.args(["--backup-to", "s3://bucket/mall", "--time-zone", "Mars/North"]);
    command.env_remove("AWS_ACCESS_KEY_ID");
    command.arg("--backup-key-file").arg(at("backup.key")).arg("--webhook-ca").arg(at("ca.pem"));
    if cfg!(feature = "mysql") {
        command.args(["--mirror-url", "hunter2"]);
    }
    let (code, printed, log) = run(&mut command);
    assert_eq!(code, 1, "{printed}{log}");
    let mut wrong = vec![
        ("colour", "`listen`"),
        ("max_connections", "expected a number"),
        ("reservation_ttl", "ms, s, m, h or d"),
        ("listen", "IP:PORT"),
        ("time_zone", "IANA"),
        ("auth_secret", "32 bytes"),
        ("auth_keys", "keys.json"),
        ("auth_keys_url", "use https"),
        ("data_dir", "no directory"),
        ("operators_listen", "no directory"),
        ("log_file", "Not a directory"),
        ("reports_dir", "no directory"),
        ("points_service", "there is no secret in"),
        ("backup_to", "AWS_ACCESS_KEY_ID"),
        ("backup_key_file", "key"),
        ("webhook_ca", "certificate"),
    ];
    if cfg!(feature = "mysql") {
        wrong.push(("mirror_url", "mysql://USER:PASSWORD@HOST:PORT/DATABASE"));
    }
    for (setting, told) in &wrong {
        let is_told = |line: &str| {
            let words = line.split(|it: char| !it.is_alphanumeric() && it != '_');
            words.into_iter().any(|word| word == *setting) && line.contains(told)
        };
        assert!(log.lines().any(is_told), "{setting}, {told}: {log}");
    }
    let count = format!("{} things are wrong", wrong.len());
    assert!(log.lines().last().expect("a line").contains(&count), "{count}: {log}");
    assert!(!log.contains("hunter2") && !printed.contains("hunter2"), "{printed}{log}");
    assert!(!log.contains("too short"), "{log}");
}

#[test]
fn without_a_secret_a_server_would_not_start_but_for_a_demo() {
    let dir = TempDir::new().expect("a directory");
    let (code, _, log) = run(check(dir.path()).env_remove("STOCKHOLD_AUTH_SECRET"));
    assert!(code == 1 && log.contains("STOCKHOLD_AUTH_SECRET"), "{log}");
    assert!(log.contains("one thing is wrong"), "{log}");
    let (code, printed, log) =
        run(check(dir.path()).env_remove("STOCKHOLD_AUTH_SECRET").arg("--demo"));
    assert_eq!(code, 0, "{log}");
    assert!(printed.contains("a secret will be made for the demo"), "{printed}");
    let missing = dir.path().join("missing.toml");
    let (code, _, log) = run(check(dir.path()).arg("--config").arg(&missing));
    assert!(code == 1 && log.contains("missing.toml") && log.contains("No such file"), "{log}");
    assert!(entries(dir.path()).is_empty(), "nothing was made");
}

/// The settings of a server are checked before it is stopped for another version.
#[test]
fn a_server_that_runs_on_the_directory_is_not_in_the_way() {
    let dir = TempDir::new().expect("a directory");
    let mut command = stockhold(&["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
    let server =
        Process::start(command.arg(dir.path().join("data")).env("STOCKHOLD_AUTH_SECRET", SECRET));
    let listen = server.address.to_string();
    let (code, printed, log) = run(check(dir.path()).args(["--listen", &listen]));
    assert_eq!(code, 0, "{log}");
    assert_eq!(row(&printed, "listen"), (listen, "flag --listen".into()));
    assert!(!printed.contains("will be made"), "{printed}");
    server.signal(rustix::process::Signal::TERM);
    let (code, log) = server.wait();
    assert_eq!(code, 0, "{log}");
}
