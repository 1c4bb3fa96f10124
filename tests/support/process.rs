//! The `stockhold` program as a child process.

use std::io::{BufRead, BufReader, PipeWriter, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_stockhold");

/// A server that never starts, or never ends, fails the test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(120);

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
    let (code, printed, log) =
        run(&mut stockhold(&["token", "--user", user, "--role", role, "--data-dir", dir]));
    assert_eq!(code, 0, "{log}");
    printed.lines().last().expect("a line").to_owned()
}

/// A server that runs. Dropped, it is killed.
pub struct Process {
    child: Child,
    stdin: Option<PipeWriter>,
    stdout: BufReader<ChildStdout>,
    /// `None` where its log goes elsewhere.
    stderr: Option<BufReader<ChildStderr>>,
    /// What it has printed until now.
    pub printed: String,
    pub address: SocketAddr,
}

impl Process {
    /// Starts `stockhold serve --listen 127.0.0.1:0` with more arguments, and waits until it
    /// listens.
    pub fn serve(args: &[&str]) -> Self {
        Self::start(stockhold(&["serve", "--listen", "127.0.0.1:0"]).args(args))
    }

    /// Serves the demo in `dir`.
    pub fn demo(dir: &Path) -> Self {
        Self::serve(&["--demo", "--data-dir", dir.to_str().expect("a path in UTF-8")])
    }

    pub fn start(command: &mut Command) -> Self {
        // On a machine that tests share, requests wait for a processor, and are to be answered.
        command.env("STOCKHOLD_OVERLOAD_WAIT", "1h");
        let mut child = command.spawn().expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("its output is piped"));
        let stderr = child.stderr.take().map(BufReader::new);
        let address = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut process =
            Self { child, stdin: None, stdout, stderr, printed: String::new(), address };
        let _killer = Killer::new(process.pid());
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
        self.read_log_to_any(&[text]);
    }

    /// The same of the first line that holds one of these.
    pub fn read_log_to_any(&mut self, texts: &[&str]) -> String {
        let mut line = String::new();
        while !texts.iter().any(|text| line.contains(text)) {
            line.clear();
            let stderr = self.stderr.as_mut().expect("its log is piped");
            assert_ne!(
                stderr.read_line(&mut line).expect("its log is readable"),
                0,
                "it ended without {texts:?}"
            );
        }
        line
    }

    fn rest_of_log(&mut self) -> String {
        let mut log = String::new();
        if let Some(stderr) = &mut self.stderr {
            stderr.read_to_string(&mut log).expect("its log is readable");
        }
        log
    }

    /// Hears what is written there.
    pub fn told_by(mut self, stdin: PipeWriter) -> Self {
        self.stdin = Some(stdin);
        self
    }

    /// Says a line to a server that listens to its standard input, and waits until it says it back.
    pub fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("its input is piped");
        writeln!(stdin, "{line}").expect("it listens");
        self.read_to(line);
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("the process lives");
    }

    /// Waits until it has ended; its exit code (-1 after a signal), and what it logged since.
    pub fn wait(mut self) -> (i32, String) {
        let _killer = Killer::new(self.pid());
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

/// Kills a process that goes on for too long. Dropped before, it does nothing; the process is not
/// waited for meanwhile, so its number is still its own.
struct Killer {
    _alive: Sender<()>,
}

impl Killer {
    fn new(pid: Pid) -> Self {
        let (alive, told) = channel();
        thread::spawn(move || {
            if told.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        });
        Self { _alive: alive }
    }
}
