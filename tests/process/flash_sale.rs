//! Would catch a simulation that does not sell, that is content with books that do not balance, or
//! that fails without saying why.

use std::collections::BTreeMap;

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::net::TcpSocket;

use crate::support::{Client, Process, demo_token, run, stockhold};

const SIZE: [&str; 9] =
    ["flash-sale", "--users", "30", "--connections", "8", "--stock", "40", "--requests", "300"];

/// The rows of a verdict.
fn verdict(printed: &str) -> BTreeMap<String, String> {
    let rows = printed.lines().filter_map(|line| line.strip_prefix("  "));
    rows.filter_map(|row| row.split_once("  "))
        .map(|(name, value)| (name.into(), value.trim().into()))
        .collect()
}

fn check(code: i32, printed: &str, log: &str) {
    assert_eq!(code, 0, "{printed}{log}");
    let verdict = verdict(printed);
    let row = |name: &str| {
        verdict.get(name).unwrap_or_else(|| panic!("{name} is told: {printed}")).as_str()
    };
    let numbers = ["requests", "sold", "refused", "unclear", "oversold"].map(row);
    assert_eq!(numbers, ["300", "40", "260", "0", "0"], "{printed}");
    for name in ["p50", "p99", "max"] {
        assert!(row(name).ends_with(" ms"), "{printed}");
    }
    assert!(row("requests/s").parse::<u64>().is_ok_and(|rate| rate > 0), "{printed}");
    assert!(
        row("points").contains(" + ") && printed.contains("\nOK: nothing was oversold"),
        "{printed}"
    );
}

#[test]
fn a_sale_on_its_own_server_sells_everything_once() {
    let dir = TempDir::new().expect("a directory");
    let (code, printed, log) = run(stockhold(&SIZE).env("TMPDIR", dir.path()));
    check(code, &printed, &log);
    assert_eq!(dir.path().read_dir().expect("a directory").count(), 0, "nothing stays behind");
}

#[tokio::test]
async fn a_sale_on_another_server_does_too_and_says_what_was_there_before() {
    let dir = TempDir::new().expect("a directory");
    let server = Process::demo(dir.path());
    let path = dir.path().to_str().expect("a path in UTF-8");
    let url = format!("http://{}", server.address);
    let mut admin =
        Client::connect(server.address, Some(demo_token(dir.path(), "root", "admin"))).await;
    let adjust = serde_json::json!({"delta": -500});
    admin.post("/api/admin/inventory/prod_kfc/adjust", adjust).await.data();
    for url in [url.clone(), format!("{url}/")] {
        let args = ["--product", "prod_kfc", "--data-dir", path, "--url", &url];
        let (code, printed, log) = run(stockhold(&SIZE).args(args));
        check(code, &printed, &log);
    }
    assert_eq!(admin.get("/api/admin/inventory/prod_kfc").await.data()["sold"], 80);

    let (code, _, log) =
        run(stockhold(&SIZE).args(["--product", "no-such", "--data-dir", path, "--url", &url]));
    assert!(code == 1 && log.contains("PRODUCT_NOT_FOUND"), "{log}");
    let secret = "not the secret of this server at all";
    let (code, _, log) =
        run(stockhold(&SIZE).args(["--url", &url]).env("STOCKHOLD_AUTH_SECRET", secret));
    assert!(code == 1 && log.contains("401") && log.contains("UNAUTHORIZED"), "{log}");
}

#[test]
fn an_address_that_is_none_is_told() {
    // Bound, so that nobody else has it, and not listening.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port is free");
    let closed = socket.local_addr().expect("an address");
    let dir = TempDir::new().expect("a directory");
    for (url, told) in [
        ("nowhere", "http://HOST:PORT"),
        ("https://127.0.0.1:1", "http://HOST:PORT"),
        ("http://", "http://HOST:PORT"),
        ("http://127.0.0.1:1/api", "http://HOST:PORT"),
        ("http://127.0.0.1:99999", "http://HOST:PORT"),
        ("http://127.0.0.1", "http://HOST:PORT"),
        ("http://[::1]:x", "http://HOST:PORT"),
        ("http://no-such-host.invalid:1", "finding no-such-host.invalid"),
        (&format!("http://{closed}"), "Connection refused"),
    ] {
        let mut command = stockhold(&SIZE);
        command
            .args(["--url", url])
            .env("STOCKHOLD_AUTH_SECRET", "a secret of thirty-two bytes or more");
        let (code, _, log) = run(command.current_dir(dir.path()));
        assert!(code == 1 && log.starts_with("stockhold: ") && log.contains(told), "{url}: {log}");
    }
    let (code, _, log) =
        run(stockhold(&SIZE).args(["--url", "http://127.0.0.1:1"]).current_dir(dir.path()));
    assert!(code == 1 && log.contains("there is no secret"), "{log}");
    for wrong in [
        ["--users", "0"],
        ["--connections", "0"],
        ["--stock", "0"],
        ["--seconds", "0"],
        ["--requests", "x"],
    ] {
        let (code, _, log) = run(stockhold(&["flash-sale"]).args(wrong));
        assert!(code == 2 && log.contains(wrong[0]), "{log}");
    }
}

#[test]
fn an_interrupted_sale_cleans_up() {
    let dir = TempDir::new().expect("a directory");
    let mut command =
        stockhold(&["flash-sale", "--seconds", "3600", "--users", "1", "--stock", "1000000"]);
    let sale = Process::start(command.env("TMPDIR", dir.path()));
    sale.signal(Signal::INT);
    let (code, log) = sale.wait();
    assert!(code == 1 && log.contains("the sale was interrupted"), "{log}");
    assert_eq!(dir.path().read_dir().expect("a directory").count(), 0, "nothing stays behind");
}
