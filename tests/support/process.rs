//! The `stockhold` program as a child process.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_stockhold");

pub fn stockhold(args: &[&str]) -> Command {
    isolated(PROGRAM, args)
}

/// A program, with no setting of ours from the environment of the tests.
pub fn isolated(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    let ours = |name: &str| name.starts_with("STOCKHOLD_") || name == "RUST_LOG";
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the program to its end.
pub fn run(command: &mut Command) -> (i32, String, String) {
    exit_code(command.output().expect("the program runs"))
}

/// The exit code, and what was printed and logged.
pub fn exit_code(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("the program prints UTF-8");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// The token that `stockhold token` prints on its last line, for the demo in `dir`.
pub fn demo_token(dir: &Path, user: &str, role: &str) -> String {
    let dir = dir.to_str().expect("a path in UTF-8");
    let (code, printed, log) = run(&mut stockhold(&["token", "--user", user, "--role", role, "--data-dir", dir]));
    assert_eq!(code, 0, "{log}");
    printed.lines().last().expect("a line").to_owned()
}

/// A server that runs. Dropped, it is killed.
pub struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
    /// What it has printed until now.
    pub printed: String,
    pub address: SocketAddr,
}

impl Process {
    /// Starts `stockhold serve --listen 127.0.0.1:0` with more arguments, and waits until it listens.
    pub fn serve(args: &[&str]) -> Self {
        Self::start(stockhold(&["serve", "--listen", "127.0.0.1:0"]).args(args))
    }

    /// Serves the demo in `dir`.
    pub fn demo(dir: &Path) -> Self {
        Self::serve(&["--demo", "--data-dir", dir.to_str().expect("a path in UTF-8")])
    }

    pub fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("its output is piped"));
        let stderr = BufReader::new(child.stderr.take().expect("its log is piped"));
        let address = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut process = Self { child, stdout, stderr, printed: String::new(), address };
        process.read_to("http://");
        let url = process.printed.rsplit("http://").next().expect("there is a last part");
        process.address = url.trim_end().parse().expect("it prints where it listens");
        process
    }

    /// Reads what it prints up to the line that holds `text`.
    pub fn read_to(&mut self, text: &str) {
        loop {
            let mut line = String::new();
            if self.stdout.read_line(&mut line).expect("its output is readable") == 0 {
                let log = self.rest_of_log();
                panic!("the server ended:\n{}{log}", self.printed);
            }
            self.printed.push_str(&line);
            if line.contains(text) {
                return;
            }
        }
    }

    /// Reads its log up to the line that holds `text`.
    pub fn read_log_to(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(self.stderr.read_line(&mut line).expect("its log is readable"), 0, "it ended without {text:?}");
        }
    }

    fn rest_of_log(&mut self) -> String {
        let mut log = String::new();
        self.stderr.read_to_string(&mut log).expect("its log is readable");
        log
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("the process lives");
    }

    /// Waits until it has ended; its exit code (-1 after a signal), and what it logged since.
    pub fn wait(mut self) -> (i32, String) {
        let log = self.rest_of_log();
        let status = self.child.wait().expect("it ends");
        (status.code().unwrap_or(-1), log)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
