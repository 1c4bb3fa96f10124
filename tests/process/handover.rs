//! One server takes over from another. Would catch a client that is refused, an exchange that is lost or
//! happens twice, a server that stops serving for a successor that fails, at whatever point, and one
//! that is taken over by what it could not follow.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Client, Process, demo_token, run, stockhold};

/// How many clients buy all the while.
const CLIENTS: usize = 4;
/// How often each of them buys at least, before and after.
const ROUNDS: usize = 20;

fn text(dir: &Path) -> &str {
    dir.to_str().expect("a path in UTF-8")
}

/// Nobody is held up for asking too much.
const UNBOUND: [&str; 4] =
    ["--user-requests-per-minute", "1000000", "--user-bytes-per-minute", "1000000000"];

fn serve(dir: &Path) -> Process {
    let unix = format!("unix:{}", text(&dir.join("http.sock")));
    let args = ["--demo", "--data-dir", text(dir), "--listen", &unix];
    Process::serve(&[&args[..], &UNBOUND].concat())
}

/// Starts a server that takes over from the one on `dir`, and waits until it serves.
fn take_over(dir: &Path, address: SocketAddr) -> Process {
    let mut command = stockhold(&["serve", "--demo", "--take-over", "--data-dir", text(dir)]);
    command.arg("--listen").arg(address.to_string());
    if exists(&dir.join("http.sock")) {
        command.arg("--listen").arg(format!("unix:{}", text(&dir.join("http.sock"))));
    }
    Process::start(command.args(UNBOUND))
}

#[allow(clippy::disallowed_methods, reason = "the test looks at files")]
fn exists(path: &Path) -> bool {
    std::fs::exists(path).expect("it can be looked at")
}

fn verify(dir: &Path) {
    let (code, printed, log) = run(&mut stockhold(&["verify", text(dir)]));
    assert_eq!(code, 0, "{printed}{log}");
}

/// Clients that buy, each with keys of its own, and ask again where a connection ends without an answer.
struct Crowd {
    stop: Arc<AtomicBool>,
    bought: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Crowd {
    fn begin(address: SocketAddr, token: &str) -> Self {
        let (stop, bought) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let buy = |client: usize| {
            let (stop, bought, token) = (stop.clone(), bought.clone(), token.to_owned());
            tokio::spawn(async move {
                let mut at = Client::connect(address, Some(token)).await;
                let mut count = 0;
                while !stop.load(Ordering::SeqCst) || count < ROUNDS {
                    buy(&mut at, &format!("client-{client}-{count}")).await;
                    count += 1;
                    bought.fetch_add(1, Ordering::SeqCst);
                }
            })
        };
        Self { tasks: (0..CLIENTS).map(buy).collect(), stop, bought }
    }

    /// Waits until that many more exchanges are done.
    async fn went_on(&self) {
        let enough = self.bought.load(Ordering::SeqCst) + CLIENTS * ROUNDS;
        while self.bought.load(Ordering::SeqCst) < enough {
            assert!(self.tasks.iter().any(|task| !task.is_finished()), "the clients ended");
            tokio::task::yield_now().await;
        }
    }

    /// Ends them; how many exchanges they did.
    async fn end(self) -> i64 {
        self.stop.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await.expect("no client was refused anything");
        }
        i64::try_from(self.bought.load(Ordering::SeqCst)).expect("a small number")
    }
}

/// Gives so many points and units that nobody runs out.
async fn fill(server: &Process, dir: &Path) {
    let admin = demo_token(dir, "boss", "admin");
    let mut admin = Client::connect(server.address, Some(admin)).await;
    let award = json!({"points": 500_000_000, "reason": "much to do"});
    admin.post("/api/admin/points/demo/award", award).await.data();
    let receive = json!({"quantity": 1_000_000, "reason": "much to do"});
    admin.post("/api/admin/inventory/prod_movie/receive", receive).await.data();
}

async fn buy(at: &mut Client, key: &str) {
    loop {
        let body = json!({"productId": "prod_movie", "quantity": 1}).to_string();
        let request = at.post_request("/api/mall/exchange").header("Idempotency-Key", key);
        match at.try_send(request, body).await {
            Ok(reply) => {
                reply.data();
                return;
            }
            // A connection that was kept may end at any time.
            Err(error) => assert!(!error.contains("refused"), "{error}"),
        }
    }
}

async fn left(at: &mut Client) -> (i64, i64) {
    (at.balance().await, at.stock("prod_movie").await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_go_on_from_one_server_to_the_next_and_buy_once() {
    let dir = TempDir::new().expect("a directory");
    let mut server = serve(dir.path());
    let (address, token) = (server.address, demo_token(dir.path(), "demo", "user"));
    fill(&server, dir.path()).await;
    let mut demo = Client::connect(address, Some(token.clone())).await;
    let (points, units) = left(&mut demo).await;
    let crowd = Crowd::begin(address, &token);
    crowd.went_on().await;
    for _ in 0..2 {
        let path = dir.path().to_owned();
        let next = tokio::task::spawn_blocking(move || take_over(&path, address));
        let next = next.await.expect("it serves");
        let (code, log) = std::mem::replace(&mut server, next).wait();
        assert_eq!(code, 0, "{log}");
        crowd.went_on().await;
    }
    let bought = crowd.end().await;
    // The same key hears the same answer from the third server as from the first.
    let mut again = Client::connect(address, Some(token.clone())).await;
    buy(&mut again, "client-0-0").await;
    assert_eq!(left(&mut again).await, (points - 4_500 * bought, units - bought));
    let mode = dir.path().join("successor.sock");
    #[allow(clippy::disallowed_methods, reason = "the test looks at files")]
    let mode = std::fs::metadata(mode).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o077, 0, "nobody else can ask");
    let unix = dir.path().join("http.sock");
    drop(UnixStream::connect(&unix).expect("the last one listens there, too"));
    server.signal(Signal::TERM);
    let (code, log) = server.wait();
    assert_eq!(code, 0, "{log}");
    for socket in [unix, dir.path().join("successor.sock")] {
        assert!(!exists(&socket), "{} stays", socket.display());
    }
    verify(dir.path());
    let server = Process::demo(dir.path());
    let mut demo = Client::connect(server.address, Some(token)).await;
    assert_eq!(left(&mut demo).await, (points - 4_500 * bought, units - bought));
}

#[tokio::test]
async fn a_successor_that_cannot_start_leaves_the_one_that_runs() {
    let dir = TempDir::new().expect("a directory");
    let server = Process::demo(dir.path());
    let address = server.address.to_string();
    let nowhere = TempDir::new().expect("a directory");
    let secret = "x".repeat(32);
    for (args, why) in [
        (
            ["--data-dir", text(dir.path()), "--listen", "127.0.0.2:1"],
            "does not listen at 127.0.0.2:1",
        ),
        (["--data-dir", text(nowhere.path()), "--listen", &address], "no server runs on"),
        (["--data-dir", text(dir.path()), "--max-connections", "x"], "max"),
    ] {
        let mut command = stockhold(&["serve", "--take-over"]);
        let command = command.args(args).env("STOCKHOLD_AUTH_SECRET", &secret);
        let (code, printed, log) = run(command);
        assert_ne!(code, 0, "{log}");
        assert!(printed.is_empty() && log.contains(why), "{why}: {log}");
        let token = demo_token(dir.path(), "demo", "user");
        let mut demo = Client::connect(server.address, Some(token)).await;
        buy(&mut demo, why).await;
    }
    verify(dir.path());
}

/// A successor that is told what to say, and ends when it is dropped.
struct Puppet(UnixStream);

impl Puppet {
    fn connect(dir: &Path) -> Self {
        let stream = UnixStream::connect(dir.join("successor.sock")).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("it takes a limit");
        Self(stream)
    }

    fn say(&mut self, message: &Value) {
        let body = message.to_string();
        let length = u32::try_from(body.len()).expect("it is short").to_be_bytes();
        self.0.write_all(&[&length[..], body.as_bytes()].concat()).expect("it hears");
    }

    fn hear(&mut self) -> Value {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).expect("it says something");
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut body).expect("it says all of it");
        serde_json::from_slice(&body).expect("it is JSON")
    }

    #[track_caller]
    fn expect(&mut self, message: &str) -> Value {
        let heard = self.hear();
        assert_eq!(heard["message"], message, "{heard}");
        heard
    }
}

fn hello(protocol: u32, formats: &Value) -> Value {
    json!({"message": "hello", "protocol": protocol, "program": "9.9.9", "formats": formats})
}

#[tokio::test]
async fn a_successor_that_dies_at_any_point_leaves_the_one_before() {
    let dir = TempDir::new().expect("a directory");
    let mut server = serve(dir.path());
    let token = demo_token(dir.path(), "demo", "user");
    fill(&server, dir.path()).await;
    let mut demo = Client::connect(server.address, Some(token.clone())).await;
    let (points, units) = left(&mut demo).await;
    let crowd = Crowd::begin(server.address, &token);
    for point in 0..=6 {
        let mut puppet = Puppet::connect(dir.path());
        if point > 0 {
            puppet.say(&hello(1, &json!([])));
        }
        if point > 1 {
            let welcome = puppet.expect("welcome");
            assert_eq!(welcome["doors"][0]["place"], server.address.to_string());
        }
        if point > 2 {
            puppet.say(&json!({"message": "switch"}));
        }
        for heard in ["yours", "left", "closed"].iter().take(usize::saturating_sub(point, 3)) {
            puppet.expect(heard);
        }
        drop(puppet);
        // One that is gone when it is ready may be noticed before anything is closed for it.
        let endings = ["no successor takes over", "this server goes on"];
        let ended = match point {
            0..=2 => server.read_log_to_any(&endings[..1]),
            3 => server.read_log_to_any(&endings),
            _ => server.read_log_to_any(&endings[1..]),
        };
        if ended.contains(endings[1]) {
            server.read_log_to("serving");
        }
        crowd.went_on().await;
    }
    let bought = crowd.end().await;
    assert_eq!(
        left(&mut demo_again(&server, &token).await).await,
        (points - 4_500 * bought, units - bought)
    );
    // And it can still be taken over.
    let (address, path) = (server.address, dir.path().to_owned());
    let next = tokio::task::spawn_blocking(move || take_over(&path, address)).await;
    let next = next.expect("it serves");
    assert_eq!(server.wait().0, 0);
    assert_eq!(
        left(&mut demo_again(&next, &token).await).await,
        (points - 4_500 * bought, units - bought)
    );
    next.signal(Signal::TERM);
    assert_eq!(next.wait().0, 0);
    verify(dir.path());
}

/// Closing failed here, and what serves lost its Unix socket; it was told that all was closed.
#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "the test is in the way of sled's manifest")]
async fn a_server_that_does_not_close_well_leaves_its_successor_the_sockets() {
    let dir = TempDir::new().expect("a directory");
    let server = serve(dir.path());
    let token = demo_token(dir.path(), "demo", "user");
    buy(&mut demo_again(&server, &token).await, "before").await;
    // Where the manifest is written before it gets its name.
    std::fs::create_dir(dir.path().join("store.manifest.new")).expect("it is made");
    let mut puppet = Puppet::connect(dir.path());
    puppet.say(&hello(1, &json!([])));
    puppet.expect("welcome");
    puppet.say(&json!({"message": "switch"}));
    puppet.expect("yours");
    puppet.expect("left");
    puppet.say(&json!({"message": "serving"}));
    assert_eq!(puppet.0.read(&mut [0]).expect("it ends"), 0, "it did not close, and says nothing");
    let (code, log) = server.wait();
    assert_eq!(code, 1, "{log}");
    assert!(exists(&dir.path().join("http.sock")), "clients of the successor are there: {log}");
}

async fn demo_again(server: &Process, token: &str) -> Client {
    Client::connect(server.address, Some(token.to_owned())).await
}

#[tokio::test]
async fn a_server_in_the_background_takes_over_and_can_be_taken_over() {
    let dir = TempDir::new().expect("a directory");
    let server = Process::demo(dir.path());
    let (address, listen) = (server.address, server.address.to_string());
    let args = [
        "serve",
        "--demo",
        "--take-over",
        "--background",
        "--data-dir",
        text(dir.path()),
        "--listen",
    ];
    // Its log would keep the pipe open for as long as it serves.
    let mut command = stockhold(&args);
    let command = command.arg(&listen).stderr(std::process::Stdio::null());
    let (code, printed, _) = run(command);
    assert_eq!((code, printed), (0, format!("Stockhold is serving on http://{listen}\n")));
    assert_eq!(server.wait().0, 0);
    let mut demo = Client::connect(address, Some(demo_token(dir.path(), "demo", "user"))).await;
    buy(&mut demo, "from the background").await;
    let path = dir.path().to_owned();
    let last = tokio::task::spawn_blocking(move || take_over(&path, address)).await;
    last.expect("it serves").signal(Signal::TERM);
    let nowhere = TempDir::new().expect("a directory");
    let args =
        ["serve", "--demo", "--take-over", "--background", "--data-dir", text(nowhere.path())];
    let (code, printed, log) = run(&mut stockhold(&args));
    assert_eq!((code, printed.as_str()), (1, ""), "{log}");
    assert!(log.contains("no server runs on"), "{log}");
}

#[tokio::test]
async fn what_could_not_be_gone_back_from_is_refused_by_name() {
    let dir = TempDir::new().expect("a directory");
    let server = Process::demo(dir.path());
    for (hello, why) in [
        (hello(2, &json!([])), "takes over in another way"),
        (
            hello(1, &json!([{"name": "a snapshot", "version": 99}])),
            "writes a snapshot in version 99",
        ),
        (hello(1, &json!([{"name": "tablets", "version": 1}])), "writes tablets in version 1"),
    ] {
        let mut puppet = Puppet::connect(dir.path());
        puppet.say(&hello);
        let refused = puppet.expect("refused");
        let told = refused["why"].as_str().expect("a text");
        assert!(told.contains(why) && told.contains("9.9.9"), "{told}");
    }
    let mut puppet = Puppet::connect(dir.path());
    puppet.say(&json!({"message": "switch"}));
    assert_eq!(
        puppet.0.read(&mut [0]).expect("it ends"),
        0,
        "who says nothing of itself gets nothing"
    );
    let mut demo = demo_again(&server, &demo_token(dir.path(), "demo", "user")).await;
    buy(&mut demo, "all the same").await;
}
