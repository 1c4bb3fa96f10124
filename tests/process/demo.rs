//! Would catch a demo whose own advice does not work, and a token that the server it is made for
//! does not take.
#![allow(clippy::disallowed_methods, reason = "the test looks at files")]

use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Client, Process, Reply, demo_token, run, stockhold};

/// A `curl` as it is printed: its address, its headers, and its data.
struct Curl {
    path: String,
    headers: Vec<(String, String)>,
    data: Option<String>,
}

/// The commands in a text; a line that ends with a backslash goes on.
fn curls(text: &str, server: &str) -> Vec<Curl> {
    let joined = text.replace("\\\n", " ");
    let commands = joined.lines().map(str::trim).filter(|line| line.starts_with("curl -s "));
    commands.map(|line| curl(line, server)).collect()
}

fn curl(line: &str, server: &str) -> Curl {
    let address =
        line.split(' ').find_map(|word| word.strip_prefix(server)).expect("the server's address");
    let quoted = |option: &str| -> Vec<String> {
        let parts = line.split(option).skip(1);
        parts.map(|part| part.split('\'').next().expect("a closing quote").to_owned()).collect()
    };
    let header = |header: String| {
        header.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let headers =
        quoted("-H '").into_iter().map(|text| header(text).expect("a name and a value")).collect();
    Curl { path: address.to_owned(), headers, data: quoted("-d '").pop() }
}

async fn send(client: &mut Client, curl: &Curl) -> Reply {
    let method = if curl.data.is_some() { Method::POST } else { Method::GET };
    let mut request = client.request(method, &curl.path);
    for (name, value) in &curl.headers {
        request = request.header(name, value);
    }
    client.send(request, curl.data.clone().unwrap_or_default()).await
}

#[tokio::test]
async fn what_the_demo_says_to_try_works() {
    let dir = TempDir::new().expect("a directory");
    let mut server = Process::demo(dir.path());
    server.read_to("The token is valid");
    let curls = curls(&server.printed, &format!("http://{}", server.address));
    let paths: Vec<&str> = curls.iter().map(|curl| curl.path.as_str()).collect();
    assert_eq!(
        paths,
        ["/api/mall/products", "/api/mall/exchange", "/api/points/balance"],
        "{}",
        server.printed
    );
    let mut client = Client::connect(server.address, None).await;
    assert_eq!(send(&mut client, &curls[0]).await.data()["pagination"]["total"], 5);
    let exchanged = send(&mut client, &curls[1]).await.data();
    assert_eq!((&exchanged["status"], &exchanged["pointsCost"]), (&json!(1), &json!(3500)));
    assert_eq!(send(&mut client, &curls[2]).await.data()["balance"], 1_000_000 - 3500);
    let at = format!("http://{}", server.address);
    let link = server.printed.lines().find_map(|line| {
        line.trim().strip_prefix(&at).filter(|path| path.starts_with("/sign-in?code="))
    });
    let link = link.expect("a link for browsers");
    let page = async |client: &mut Client| {
        String::from_utf8(client.get(link).await.body.to_vec()).expect("text")
    };
    let asks = page(&mut client).await;
    assert!(asks.contains("name=\"code\"") && asks.contains("demo"), "{asks}");
    // The link ends with the tokens of its user.
    let root = demo_token(dir.path(), "root", "admin");
    let mut root = Client::connect(server.address, Some(root)).await;
    root.post("/api/admin/revocations", json!({"userId": "demo"})).await.data();
    let refused = page(&mut client).await;
    assert!(refused.contains("the token was revoked"), "{refused}");
}

#[tokio::test]
async fn a_second_start_keeps_everything_and_adds_nothing() {
    let dir = TempDir::new().expect("a directory");
    let server = Process::demo(dir.path());
    let token = demo_token(dir.path(), "demo", "user");
    let mut demo = Client::connect(server.address, Some(token.clone())).await;
    demo.post(
        "/api/mall/exchange",
        json!({"productId": "prod_iphone15", "quantity": 1, "confirm": true}),
    )
    .await
    .data();
    let look = async |client: &mut Client| -> Vec<Value> {
        let mut seen = Vec::new();
        for path in [
            "/api/mall/products",
            "/api/mall/categories",
            "/api/points/balance",
            "/api/mall/orders",
        ] {
            seen.push(client.get(path).await.data());
        }
        seen
    };
    let before = look(&mut demo).await;
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.wait().0, 0);
    let server = Process::demo(dir.path());
    let mut demo = Client::connect(server.address, Some(token)).await;
    assert_eq!(look(&mut demo).await, before, "the old token is still good, and so is the rest");
}

#[tokio::test]
async fn tokens_name_their_user_and_role() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().to_str().expect("a path in UTF-8");
    let server = Process::serve(&["--demo", "--data-dir", path, "--token-leeway", "0s"]);
    let mut ann =
        Client::connect(server.address, Some(demo_token(dir.path(), "ann@example.com", "user")))
            .await;
    assert_eq!(ann.get("/api/points/balance").await.data()["userId"], "ann@example.com");
    ann.get("/api/admin/inventory/prod_kfc").await.failure(403, "FORBIDDEN");
    let mut root =
        Client::connect(server.address, Some(demo_token(dir.path(), "root", "admin"))).await;
    root.get("/api/admin/inventory/prod_kfc").await.data();

    for (args, told) in [
        (vec!["--user", "no/slash"], "A-Z"),
        (vec!["--user", ""], "A-Z"),
        (vec!["--user", "ann", "--ttl", "soon"], "ms, s, m, h or d"),
        (vec!["--user", "ann", "--role", "root"], "admin"),
        (vec![], "--user"),
    ] {
        let (code, printed, log) = run(stockhold(&["token", "--data-dir", path]).args(&args));
        assert!(code != 0 && printed.is_empty() && log.contains(told), "{args:?}: {log}");
    }
    // A token that is over when it is made is no token to anybody.
    let (code, printed, _) =
        run(&mut stockhold(&["token", "--user", "ann", "--ttl", "0s", "--data-dir", path]));
    let mut late = Client::connect(server.address, printed.lines().last().map(str::to_owned)).await;
    assert_eq!(code, 0);
    late.get("/api/points/balance").await.failure(401, "UNAUTHORIZED");
}

#[test]
fn without_a_demo_there_is_no_secret_to_find() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("nothing");
    let (code, printed, log) = run(stockhold(&["token", "--user", "ann", "--data-dir"]).arg(&path));
    assert!(code == 1 && printed.is_empty(), "{log}");
    assert!(
        log.contains("STOCKHOLD_AUTH_SECRET") && log.contains(path.to_str().expect("UTF-8")),
        "{log}"
    );
    // A secret that was cut short is no secret.
    std::fs::create_dir(&path).expect("a directory");
    std::fs::write(path.join("demo-secret"), "").expect("a file");
    for command in
        [&["token", "--user", "ann"][..], &["serve", "--demo", "--listen", "127.0.0.1:0"]]
    {
        let (code, _, log) = run(stockhold(command).arg("--data-dir").arg(&path));
        assert!(code == 1 && log.contains("demo-secret"), "{log}");
    }
}

/// `stockhold token | true` and the like: nobody reads, and nothing panics.
#[test]
fn a_closed_pipe_is_an_error() {
    let dir = TempDir::new().expect("a directory");
    drop(Process::demo(dir.path()));
    let mut command = stockhold(&["token", "--user", "ann", "--data-dir"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let (code, _, log) = run(command.arg(dir.path()).stdout(writer));
    assert!(code == 1 && log.contains("printing") && !log.contains("panicked"), "{log}");
}
