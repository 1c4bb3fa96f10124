//! Would catch a report that cannot be had while a server runs, or that is another one than the
//! server's, and a server that delivers none by itself.

#![allow(clippy::disallowed_methods, reason = "looks at a file that was delivered")]

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Client, Process, demo_token, exit_code, stockhold};

/// The day of a `Date` header, as in `Mon, 30 Nov 2026 13:00:00 GMT`.
fn day(header: &str) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let parts: Vec<&str> = header.split(' ').collect();
    let month = MONTHS.iter().position(|name| *name == parts[2]).expect("a month") + 1;
    format!("{}-{month:02}-{}", parts[3], parts[1])
}

#[tokio::test]
async fn a_server_that_has_the_directory_is_asked_and_delivers_by_itself() {
    let dir = TempDir::new().expect("a directory");
    let (data, out) = (dir.path().join("data"), dir.path().join("out"));
    let path = |path: &std::path::Path| path.to_str().expect("a path in UTF-8").to_owned();
    let args = ["--demo", "--data-dir", &path(&data), "--reports-dir", &path(&out)];
    let mut server = Process::serve(&args);
    let mut demo = Client::connect(server.address, Some(demo_token(&data, "demo", "user"))).await;
    let body = json!({"productId": "prod_kfc", "quantity": 2, "confirm": true});
    let made = demo.post("/api/mall/exchange", body).await;
    made.data();
    let date = day(made.header("date").expect("the time"));

    let address = server.address.to_string();
    let ask = |more: &[&str]| {
        let mut command = stockhold(&["report", "daily", "--date", &date, "--format", "json"]);
        command.args(more).arg("--data-dir").arg(&data);
        let (code, printed, log) = exit_code(command.output().expect("the program runs"));
        assert_eq!(code, 0, "{more:?}: {printed}{log}");
        serde_json::from_str::<Value>(&printed).expect("it is JSON")
    };
    for more in [["--listen", &address], ["--server", &address]] {
        let report = ask(&more);
        assert_eq!(report["orders"]["exchanged"], 1, "{more:?}: {report}");
        assert_eq!((&report["units"]["exchanged"], &report["period"]), (&json!(2), &json!(date)));
    }

    server.read_log_to("a report is delivered");
    server.read_log_to("a report is delivered");
    let files = std::fs::read_dir(&out).expect("it is there").count();
    assert!(files >= 8, "a day and a week, each in four formats: {files}");
}
