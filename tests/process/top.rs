//! Would catch a board that shows nothing of a server that runs, that ends with it, or that leaves a
//! terminal as nobody can use it.

#![allow(clippy::disallowed_methods, reason = "writes the tokens' files, and reads a terminal")]

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Client, Process, demo_token, run, stockhold};

/// A board that never shows what it should fails the test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn one_picture_of_a_server_that_runs_and_of_one_that_is_away() {
    let dir = TempDir::new().expect("a directory");
    let server = Process::demo(dir.path());
    let mut demo =
        Client::connect(server.address, Some(demo_token(dir.path(), "demo", "user"))).await;
    let body = json!({"productId": "prod_kfc", "quantity": 2});
    demo.post("/api/mall/exchange", body).await.data();
    let address = server.address.to_string();
    let token = dir.path().join("token");
    std::fs::write(&token, demo_token(dir.path(), "eye", "monitor")).expect("it is written");
    let top = |more: &[&str]| {
        let mut top = stockhold(&["top", "--once", "--every", "100ms"]);
        run(top.args(more).arg("--data-dir").arg(dir.path()))
    };
    let file = token.to_str().expect("a path in UTF-8");
    for more in [&["--listen", &address][..], &["--server", &address, "--token-file", file]] {
        let (code, printed, log) = top(more);
        assert_eq!(code, 0, "{printed}{log}");
        for part in [
            &*address,
            "reservations waiting 1\u{20}",
            "SUCCESS",
            "of 1\u{20}",
            "groups",
            "nothing else",
        ] {
            assert!(printed.contains(part), "no {part:?} in\n{printed}");
        }
    }
    let shopper = dir.path().join("shopper");
    std::fs::write(&shopper, demo_token(dir.path(), "ann", "user")).expect("it is written");
    let (code, printed, _) =
        top(&["--server", &address, "--token-file", shopper.to_str().expect("UTF-8")]);
    assert!(
        code == 1 && printed.contains("AWAY, not seen yet: the token is refused"),
        "{code}: {printed}"
    );
    let (code, _, log) = run(stockhold(&["top"]).arg("--data-dir").arg(dir.path()));
    assert!(code == 1 && log.contains("--once"), "there is no terminal: {code}: {log}");

    drop(server);
    let (code, printed, log) = top(&["--server", &address]);
    assert_eq!(code, 1, "{printed}{log}");
    for part in
        ["AWAY, not seen yet: ", "reservations waiting unknown", "mirror               unknown"]
    {
        assert!(printed.contains(part), "no {part:?} in\n{printed}");
    }
}

/// The program with a terminal of its own, of 80 by 24.
struct Board {
    program: Child,
    /// As the program has it.
    terminal: File,
    keys: File,
    drawn: Receiver<String>,
    seen: String,
}

impl Board {
    fn open(mut top: Command) -> Self {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&keys).expect("granted");
        unlockpt(&keys).expect("unlocked");
        let name = ptsname(&keys, Vec::new()).expect("its name");
        let name = name.to_str().expect("a path in UTF-8");
        let terminal = File::options().read(true).write(true).open(name).expect("it opens");
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&terminal, size).expect("it has a size");
        let end = || Stdio::from(terminal.try_clone().expect("a copy"));
        let program = top.stdin(end()).stdout(end()).stderr(end()).spawn().expect("it starts");
        let keys = File::from(keys);
        let (mut reader, (tell, drawn)) = (keys.try_clone().expect("a copy"), channel());
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count) = reader.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                if tell.send(text).is_err() {
                    return;
                }
            }
        });
        Self { program, terminal, keys, drawn, seen: String::new() }
    }

    /// Waits until all of these were drawn: words, for what is blank is not drawn.
    fn read_until(&mut self, words: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        while !words.iter().all(|word| self.seen.contains(word)) {
            let more = self.drawn.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            self.seen.push_str(&more.unwrap_or_else(|_| panic!("no {words:?} in {:?}", self.seen)));
        }
    }

    fn echoes(&self) -> bool {
        tcgetattr(&self.terminal).expect("a terminal").local_modes.contains(LocalModes::ECHO)
    }

    /// It has ended by itself, and its terminal is as it was.
    fn assert_ended(mut self) {
        let status = self.program.wait().expect("it ends");
        assert!(status.success(), "{status}");
        assert!(self.echoes(), "the terminal shows what is typed again");
        self.read_until(&["\u{1b}[?1049l"]);
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.program.kill());
        drop(self.program.wait());
    }
}

#[test]
fn a_terminal_is_drawn_in_goes_on_without_the_server_and_is_left_as_it_was() {
    let dir = TempDir::new().expect("a directory");
    let server = Process::demo(dir.path());
    let address = server.address.to_string();
    let board = || {
        let mut top = stockhold(&["top", "--every", "100ms", "--server", &address]);
        top.arg("--data-dir").arg(dir.path());
        Board::open(top)
    };
    let mut by_key = board();
    by_key.read_until(&["Attention", "reservations", "nothing"]);
    assert!(!by_key.echoes(), "keys are read as they are pressed");
    drop(server);
    by_key.read_until(&["AWAY"]);
    by_key.keys.write_all(b"q").expect("it listens");
    by_key.assert_ended();

    let mut by_signal = board();
    by_signal.read_until(&["AWAY"]);
    let pid = Pid::from_child(&by_signal.program);
    rustix::process::kill_process(pid, Signal::TERM).expect("it lives");
    by_signal.assert_ended();
}
