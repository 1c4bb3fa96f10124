//! A database server of one's own: on a free port of this machine, with its files in a directory of
//! its own, gone when its owner is. Imports nothing of the crate, so that the tests share the file.
#![allow(clippy::disallowed_methods, reason = "the files are the server's, not the ledger's")]

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use program::{Maker, joined};

// The tests include this file from elsewhere.
#[path = "dbprogram.rs"]
mod program;

pub(crate) use program::Program;

/// The user that may do everything.
pub(crate) const ADMIN: &str = "lab_admin";
/// The user that may do everything in databases whose name begins with `stockhold_`, and nothing
/// else.
pub(crate) const USER: &str = "stockhold";
/// The password of both: with what a URL must escape, and easy to find where it must not be.
pub(crate) const PASSWORD: &str = "open/sesame%1:@";
/// [`PASSWORD`] as a URL has it.
pub(crate) const PASSWORD_IN_URL: &str = "open%2Fsesame%251%3A%40";

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How often to look for another port when somebody was faster.
const PORT_TRIES: usize = 5;
/// A first packet begins with its length and number; the version of the protocol follows.
const GREETING: usize = 4;
const PROTOCOL: u8 = 10;

/// What a server is started with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Whether each commit is synced. Without it a commit survives the death of the server, not
    /// that of the machine.
    pub(crate) durable: bool,
    /// More arguments, which win over those that are given here.
    pub(crate) arguments: Vec<String>,
    /// Where fresh data is kept to be copied, since making it takes longer than all the rest.
    pub(crate) templates: Option<PathBuf>,
}

/// A server that runs. Dropped, it is killed and its files are removed; it does not outlive the
/// process either.
#[derive(Debug)]
pub(crate) struct DbServer {
    program: Program,
    home: PathBuf,
    /// What the next start is with.
    pub(crate) settings: Settings,
    port: u16,
    server: Option<Running>,
}

#[derive(Debug)]
struct Running {
    server: Child,
    /// Kills the server when the pipe from this process ends, as it does when this process does.
    watchdog: Child,
}

impl DbServer {
    /// Makes a new data directory in `home`, which is made and in the end removed, and starts a
    /// server in it.
    ///
    /// # Errors
    /// When it does not start: then with what it logged.
    pub(crate) fn start(program: Program, home: &Path, settings: Settings) -> io::Result<Self> {
        fs::create_dir_all(home)?;
        let mut server = Self { program, home: home.to_owned(), settings, port: 0, server: None };
        server.prepare_data()?;
        for _ in 0..PORT_TRIES {
            server.port = free_port()?;
            match server.restart() {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                started => return started.map(|()| server),
            }
        }
        Err(io::Error::other("the database server found no free port"))
    }

    /// Starts the server again, on the same files and port, and waits until it answers.
    ///
    /// # Errors
    /// As [`DbServer::start`].
    pub(crate) fn restart(&mut self) -> io::Result<()> {
        self.kill();
        let log = fs::File::create(self.log_path())?;
        let mut command = self.command(&self.data_path())?;
        command.args([
            "--bind-address=127.0.0.1",
            &format!("--port={}", self.port),
            "--port-open-timeout=5",
        ]);
        command.arg(joined("--socket=", &self.home.join("socket")));
        command.arg(joined("--pid-file=", &self.home.join("pid")));
        command.args(["--max-connections=200", "--innodb-lock-wait-timeout=10"]);
        command.arg(format!(
            "--innodb-flush-log-at-trx-commit={}",
            if self.settings.durable { 1 } else { 2 }
        ));
        command.args(&self.settings.arguments);
        let mut server =
            command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let watchdog = match watch(server.id(), &self.home) {
            Ok(watchdog) => watchdog,
            Err(error) => return server.kill().and(server.wait()).and(Err(error)),
        };
        let running = Running { server, watchdog };
        let (port, log) = (self.port, self.log_path());
        self.server
            .insert(running)
            .wait_until_ready(port, &log)
            .inspect_err(|_| self.kill())
            .map_err(|error| {
                let log = self.log();
                let kind =
                    if log.contains("in use") { io::ErrorKind::AddrInUse } else { error.kind() };
                io::Error::new(kind, format!("the database server did not start: {error}\n{log}"))
            })
    }

    /// Kills the server as SIGKILL does; [`DbServer::restart`] starts it again.
    pub(crate) fn kill(&mut self) {
        self.server = None;
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// The number of the server's process, while it runs.
    #[allow(dead_code, reason = "tests hold the process up")]
    pub(crate) fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(|running| running.server.id())
    }

    /// What the server has logged since it was started last.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.home.join("log")
    }

    fn data_path(&self) -> PathBuf {
        self.home.join("data")
    }

    /// The program with what it needs to find its files, small: a test has little data.
    fn command(&self, data: &Path) -> io::Result<Command> {
        let mut command = self.program.command()?;
        command.arg(joined("--datadir=", data));
        // Servers that share it remove each other's files.
        command.arg(joined("--tmpdir=", &self.home));
        // A server that is started as root wants to hear that it may stay so.
        if fs::metadata(&self.home).is_ok_and(|home| home.uid() == 0) {
            command.arg("--user=root");
        }
        command.args(["--skip-name-resolve", "--skip-log-bin", "--innodb-buffer-pool-size=64M"]);
        command.args(["--innodb-autoextend-increment=1"]);
        command.args::<&[&str], _>(match self.program.maker {
            Maker::MariaDb => &[
                "--innodb-log-file-size=8M",
                "--innodb-undo-tablespaces=0",
                "--innodb-data-file-path=ibdata1:1M:autoextend",
                "--innodb-temp-data-file-path=ibtmp1:1M:autoextend",
            ],
            Maker::MySql => &[
                "--innodb-redo-log-capacity=32M",
                "--secure-file-priv=NULL",
                "--mysqlx=OFF",
                "--innodb-data-file-path=ibdata1:12M:autoextend",
                "--innodb-temp-data-file-path=ibtmp1:12M:autoextend",
            ],
        });
        if !self.settings.durable {
            command.args(["--innodb-flush-method=nosync", "--innodb-doublewrite=0"]);
        }
        Ok(command)
    }

    fn prepare_data(&self) -> io::Result<()> {
        let script = self.script()?;
        let Some(templates) = &self.settings.templates else {
            return self.make_data(&self.data_path(), &script);
        };
        let template = templates.join(format!("database-{:016x}", self.fingerprint(&script)?));
        if !template.is_dir() {
            let new = self.home.join("template");
            self.make_data(&new, &script)?;
            let unnamed = templates.join(self.home.file_name().unwrap_or_default());
            copy_dir(&new, &unnamed)?;
            // Another process may have been faster with the same.
            fs::rename(&unnamed, &template).or_else(|_| fs::remove_dir_all(&unnamed))?;
        }
        copy_dir(&template, &self.data_path())
    }

    /// Differs for data that differs.
    fn fingerprint(&self, script: &str) -> io::Result<u64> {
        let program = fs::metadata(&self.program.path)?;
        let mut hasher = DefaultHasher::new();
        (&self.program, program.len(), program.mtime(), script).hash(&mut hasher);
        Ok(hasher.finish())
    }

    /// What makes the two users, and in MariaDB the system's tables: the program that is meant to
    /// do it needs more packages.
    fn script(&self) -> io::Result<String> {
        let users = format!(
            "create user {ADMIN}@'%' identified by '{PASSWORD}';\n\
             grant all on *.* to {ADMIN}@'%' with grant option;\n\
             create user {USER}@'%' identified by '{PASSWORD}';\n\
             grant all on `stockhold\\_%`.* to {USER}@'%';\n"
        );
        if self.program.maker == Maker::MySql {
            return Ok(users);
        }
        let mut script =
            "create database mysql;\nuse mysql;\nset @auth_root_socket=null;\n".to_owned();
        let share = self.program.share()?;
        for name in ["system_tables", "performance_tables", "system_tables_data"] {
            // Newer packages call them by the newer name.
            let read = |prefix| fs::read_to_string(share.join(format!("{prefix}_{name}.sql")));
            script.push_str(&read("mysql").or_else(|_| read("mariadb"))?);
        }
        script.push_str("delete from global_priv;\nflush privileges;\n");
        Ok(script + &users)
    }

    fn make_data(&self, data: &Path, script: &str) -> io::Result<()> {
        let log = fs::File::create(self.log_path())?;
        let mut command = self.command(data)?;
        let mut input = script.as_bytes();
        match self.program.maker {
            Maker::MariaDb => {
                fs::create_dir_all(data)?;
                command.arg("--bootstrap")
            }
            Maker::MySql => {
                let file = self.home.join("users.sql");
                fs::write(&file, script)?;
                input = b"";
                // It makes the directory itself.
                command.arg("--initialize-insecure").arg(joined("--init-file=", &file))
            }
        };
        let mut child =
            command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut pipe =
            child.stdin.take().ok_or_else(|| io::Error::other("the server has no input"))?;
        let written = pipe.write_all(input);
        drop(pipe);
        let status = child.wait()?;
        if !status.success() || written.is_err() {
            return Err(io::Error::other(format!(
                "the server did not make its tables: {status}\n{}",
                self.log()
            )));
        }
        Ok(())
    }
}

impl Running {
    fn wait_until_ready(&mut self, port: u16, log: &Path) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.server.try_wait()? {
                return Err(io::Error::other(format!("it ended with {status}")));
            }
            // Its own word as well: if another server has the port, this one still waits for it.
            if greets(port) && fs::read_to_string(log)?.contains("ready for connections") {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not answer"));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Either may have ended by itself. The watchdog goes first: the server's number may be
        // another's afterwards.
        drop(self.watchdog.kill());
        drop(self.watchdog.wait());
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

impl Drop for DbServer {
    fn drop(&mut self) {
        self.kill();
        drop(fs::remove_dir_all(&self.home));
    }
}

fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Whether a server answers with the greeting that begins the protocol.
fn greets(port: u16) -> bool {
    let mut greeting = [0; GREETING + 1];
    let read = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.read_exact(&mut greeting)
    });
    read.is_ok() && greeting[GREETING] == PROTOCOL
}

/// Starts what kills the process `pid` and removes its files when this process ends, in whatever
/// way.
fn watch(pid: u32, home: &Path) -> io::Result<Child> {
    let script = "read -r _; kill -9 \"$1\"; rm -rf \"$2\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", &pid.to_string()]).arg(home);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}
