//! Would catch a console that shows a secret, that knows nothing of the server's backups, or that leaves
//! an operator helpless with an order whose points are nobody knows where.

use std::net::TcpListener;

use hyper::Method;
use tempfile::TempDir;

use crate::support::{Client, Process, demo_token, stockhold};

const SECRET: &str = "hush, it is between us two";

async fn page(client: &mut Client, path: &str) -> String {
    let request = client.request(Method::GET, path).header("Accept-Language", "en");
    let reply = client.send(request, String::new()).await;
    assert_eq!(reply.status, 200, "{path}");
    String::from_utf8(reply.body.to_vec()).expect("a page is text")
}

/// What stands between these in a page.
fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = page.split_once(start).unwrap_or_else(|| panic!("no {start} in {page}"));
    rest.split_once(end).expect("its end").0
}

#[tokio::test]
async fn the_console_shows_settings_backups_and_orders_that_are_stuck() {
    let dir = TempDir::new().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("a path in UTF-8").to_owned();
    let (data, copies) = (path("data"), path("copies"));
    // It takes connections, and never answers.
    let service = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let service = format!("http://{}", service.local_addr().expect("an address"));
    let mut command = stockhold(&["serve", "--listen", "127.0.0.1:0", "--demo"]);
    command.args(["--data-dir", &data, "--backup-to", &copies, "--backup-every", "7h"]);
    command.args(["--points-service", &service, "--points-service-timeout", "100ms"]);
    command.args(["--points-service-patience", "200ms"]);
    if cfg!(feature = "mysql") {
        command.args(["--mirror-url", "mysql://ann:hunter2@127.0.0.1:1/mall"]);
    }
    let server = Process::start(command.env("STOCKHOLD_POINTS_SERVICE_SECRET", SECRET));

    let token = |user, role| demo_token(dir.path().join("data").as_path(), user, role);
    let mut root = Client::connect(server.address, Some(token("root", "admin"))).await;
    let settings = page(&mut root, "/console/settings").await;
    for part in ["<code>backup_every</code></th><td>7h</td><td>flag --backup-every</td>", "default"]
    {
        assert!(settings.contains(part), "no {part} in {settings}");
    }
    assert!(settings.contains("(not shown)") && !settings.contains(SECRET), "{settings}");
    assert!(!settings.contains("hunter2"), "{settings}");
    let mut shown = page(&mut root, "/console/copies").await;
    let is_followed =
        |shown: &str| !cfg!(feature = "mysql") || shown.contains("<code>retrying</code>");
    while shown.contains("None was whole yet") || !is_followed(&shown) {
        tokio::task::yield_now().await;
        shown = page(&mut root, "/console/copies").await;
    }
    assert!(shown.contains("<dd>7h</dd>") && !shown.contains("hunter2"), "{shown}");

    let mut demo = Client::connect(server.address, Some(token("demo", "user"))).await;
    let wanted = r#"{"productId": "prod_movie", "quantity": 1}"#;
    let exchange = demo.post_request("/api/mall/exchange").header("Idempotency-Key", "k");
    let left = demo.send(exchange, wanted.to_owned()).await;
    assert_eq!(left.status, 503, "the service does not answer");
    let stuck = page(&mut root, "/console/sagas").await;
    assert!(stuck.contains("Not known whether points were taken"), "{stuck}");
    let order = between(&stuck, "name=\"order_id\" value=\"", "\"").to_owned();
    let key = between(&stuck, "name=\"key\" value=\"", "\"");
    let form = format!("key={key}&order_id={order}&do=compensate&reason=nobody+answers");
    let request = root.request(Method::POST, "/console/sagas");
    let request = request.header("Content-Type", "application/x-www-form-urlencoded");
    let request = request.header("Sec-Fetch-Site", "same-origin");
    let sent = root.send(request, form).await;
    assert_eq!(sent.status, 303, "{:?}", String::from_utf8_lossy(&sent.body));
    let stuck = page(&mut root, "/console/sagas").await;
    assert!(stuck.contains("root · nobody answers"), "{stuck}");
}
