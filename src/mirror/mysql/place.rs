//! Where the database is.

use std::time::Duration;

use mysql_async::{Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts};
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Result};

/// How long a connection may rest before the server ends it, in seconds. A mirror that lives asks more often, and one
/// that vanished holds its locks no longer than this.
const WAIT_TIMEOUT_S: u32 = 20;
/// How long a statement waits for a lock, in seconds.
const LOCK_WAIT_S: u32 = 5;
/// Statements that stay prepared: each has as many as there are sizes of chunks.
const STATEMENTS: usize = 96;

/// Where the database is, checked.
#[derive(Clone)]
pub(super) struct Place {
    opts: Opts,
}

impl Place {
    /// # Errors
    /// `Invalid` when the URL is none of a MySQL database. The URL is never repeated: it holds a password.
    pub(super) fn of(url: &SecretString) -> Result<Self> {
        let wrong = |what: &str| {
            Error::invalid(format!("mirror_url: {what}: it must be mysql://USER:PASSWORD@HOST:PORT/DATABASE"))
        };
        let opts = Opts::from_url(url.expose_secret()).map_err(|cause| wrong(&cause.to_string()))?;
        if opts.db_name().is_none_or(str::is_empty) {
            return Err(wrong("it names no database"));
        }
        let constraints = PoolConstraints::new(0, 4).expect("the least is no more than the most");
        let setup = [
            "SET NAMES utf8mb4 COLLATE utf8mb4_bin".to_owned(),
            format!(
                "SET SESSION time_zone = '+00:00', wait_timeout = {WAIT_TIMEOUT_S}, \
                 innodb_lock_wait_timeout = {LOCK_WAIT_S}, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"
            ),
        ];
        // Without a socket in the URL the address is meant: what stands between is meant to stand there.
        let by_socket = opts.socket().is_some();
        let builder = OptsBuilder::from_opts(opts)
            .prefer_socket(by_socket)
            .tcp_nodelay(true)
            .tcp_keepalive(Some(Duration::from_secs(5)))
            .stmt_cache_size(STATEMENTS)
            .setup(setup.to_vec())
            .pool_opts(PoolOpts::default().with_constraints(constraints));
        Ok(Self { opts: builder.into() })
    }

    pub(super) fn pool(&self) -> Pool {
        Pool::new(self.opts.clone())
    }

    /// The place without user and password, for people.
    pub(super) fn shown(&self) -> String {
        let name = self.opts.db_name().unwrap_or_default();
        match self.opts.socket() {
            Some(socket) => format!("{name} on {socket}"),
            None => format!("{name} on {}:{}", self.opts.ip_or_hostname(), self.opts.tcp_port()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Result<Place> {
        Place::of(&SecretString::from(url.to_owned()))
    }

    #[test]
    fn a_url_is_checked_and_its_password_never_told() {
        let told = place("mysql://ann:hunter2@db.example:3307/mall").expect("a valid URL").shown();
        assert_eq!(told, "mall on db.example:3307");
        for (url, part) in [
            ("mysql://ann:hunter2@db.example", "no database"),
            ("mysql://ann:hunter2@db.example/", "no database"),
            ("postgres://ann:hunter2@db.example/mall", "postgres"),
            ("mysql://ann:hunter2@db.example/mall?colour=red", "colour"),
            ("ann:hunter2@db.example/mall", "mysql://USER"),
            ("hunter2", "mysql://USER"),
            ("mysql://ann:hunter2@db.example:port/mall", "port"),
        ] {
            let error = place(url).err().expect(url).to_string();
            assert!(error.contains(part) && !error.contains("hunter2"), "{url}: {error}");
        }
    }
}
