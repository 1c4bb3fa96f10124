//! A program that serves databases: the machine's own, or one that was unpacked into a folder of
//! its own with all that it needs. Imports nothing of the crate, so that the tests share the file.
#![allow(clippy::disallowed_methods, reason = "the files are the server's, not the ledger's")]

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whose server it is: they differ in how their first data is made, and in some settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Maker {
    MariaDb,
    #[allow(dead_code, reason = "tests alone have it")]
    MySql,
}

/// A server's program, with what it needs to run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Program {
    pub(crate) maker: Maker,
    pub(crate) path: PathBuf,
    /// The folder that it was unpacked into, as the root of a machine of its own.
    root: Option<PathBuf>,
}

impl Program {
    /// The MariaDB of this machine, if it has one.
    pub(crate) fn installed() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Not everybody has the directories for servers in the path.
        let dirs = std::env::split_paths(&path)
            .chain(["/usr/sbin", "/usr/local/sbin", "/usr/libexec"].map(Into::into));
        let path = dirs.map(|dir| dir.join("mariadbd")).find(|program| program.is_file())?;
        Some(Self { maker: Maker::MariaDb, path, root: None })
    }

    /// The server that was unpacked into `root`, if there is one.
    #[allow(dead_code, reason = "tests alone have it")]
    pub(crate) fn unpacked(root: &Path) -> Option<Self> {
        let of = |maker, name: &str| {
            let path = root.join("usr/sbin").join(name);
            path.is_file().then(|| Self { maker, path, root: Some(root.to_owned()) })
        };
        of(Maker::MariaDb, "mariadbd").or_else(|| of(Maker::MySql, "mysqld"))
    }

    /// The program with the arguments that must come first: the machine's own settings are for its
    /// own server.
    ///
    /// # Errors
    /// When what was unpacked has no loader.
    pub(crate) fn command(&self) -> io::Result<Command> {
        let Some(root) = &self.root else {
            let mut command = Command::new(&self.path);
            command.arg("--no-defaults");
            return Ok(command);
        };
        let (loader, libraries) = loader(root)?;
        let mut command = Command::new(loader);
        command.arg("--library-path").arg(libraries).arg(&self.path).arg("--no-defaults");
        let share = self.share()?;
        command
            .arg(joined("--basedir=", &root.join("usr")))
            .arg(joined("--lc-messages-dir=", &share));
        command.arg(joined("--character-sets-dir=", &share.join("charsets")));
        command.arg(joined("--plugin-dir=", &root.join("usr/lib/mysql/plugin")));
        Ok(command)
    }

    /// Where the server keeps its messages, and the scripts for its tables: beside its character
    /// sets.
    ///
    /// # Errors
    /// When it does not say.
    pub(crate) fn share(&self) -> io::Result<PathBuf> {
        let unknown = || io::Error::other(format!("{}: where are its files?", self.path.display()));
        if let Some(root) = &self.root {
            let dirs = ["mariadb", "mysql"].map(|name| root.join("usr/share").join(name));
            return dirs.into_iter().find(|dir| dir.join("charsets").is_dir()).ok_or_else(unknown);
        }
        let output =
            Command::new(&self.path).args(["--no-defaults", "--verbose", "--help"]).output()?;
        let help = String::from_utf8_lossy(&output.stdout);
        let sets = help
            .lines()
            .find_map(|line| line.strip_prefix("character-sets-dir"))
            .ok_or_else(unknown)?;
        Ok(Path::new(sets.trim()).parent().unwrap_or(Path::new("/")).to_owned())
    }
}

/// The loader of what was unpacked, and the folder of its libraries.
fn loader(root: &Path) -> io::Result<(PathBuf, PathBuf)> {
    for dir in fs::read_dir(root.join("usr/lib"))? {
        let libraries = dir?.path();
        let Ok(entries) = fs::read_dir(&libraries) else {
            continue;
        };
        let names = entries.filter_map(Result::ok).map(|entry| entry.path());
        let is_loader = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"ld-linux"))
        };
        if let Some(loader) = names.into_iter().find(is_loader) {
            return Ok((loader, libraries));
        }
    }
    Err(io::Error::other(format!("{} has no loader", root.display())))
}

pub(crate) fn joined(flag: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(flag);
    argument.push(path);
    argument
}
