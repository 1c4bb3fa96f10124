//! Where the database is.

use std::time::Duration;

use mysql_async::{Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts, SslOpts};
use secrecy::ExposeSecret;

use crate::error::{Error, Result};
use crate::mirror::Database;

/// How long a connection may rest before the server ends it, in seconds. A mirror that lives asks more often, and one
/// that vanished holds its locks no longer than this.
const WAIT_TIMEOUT_S: u32 = 20;
/// How long a statement waits for a lock, in seconds.
const LOCK_WAIT_S: u32 = 5;
/// Statements that stay prepared: each has as many as there are sizes of chunks.
const STATEMENTS: usize = 96;

/// Whether this names a database.
///
/// # Errors
/// `Invalid` when it does not, saying which setting is wrong.
pub(crate) fn check_database(database: &Database) -> Result<()> {
    Place::of(database).map(drop)
}

/// Where the database is, checked.
#[derive(Clone)]
pub(super) struct Place {
    opts: Opts,
}

impl Place {
    /// # Errors
    /// `Invalid` when the URL is none of a MySQL database. The URL is never repeated: it holds a password.
    pub(super) fn of(database: &Database) -> Result<Self> {
        let wrong = |what: &str| {
            Error::invalid(format!("mirror_url: {what}: it must be mysql://USER:PASSWORD@HOST:PORT/DATABASE"))
        };
        let opts = Opts::from_url(database.url.expose_secret()).map_err(|cause| wrong(&cause.to_string()))?;
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
        let ssl = ssl(&opts, database)?;
        let builder = OptsBuilder::from_opts(opts)
            .prefer_socket(by_socket)
            .tcp_nodelay(true)
            .tcp_keepalive(Some(Duration::from_secs(5)))
            .stmt_cache_size(STATEMENTS)
            .setup(setup.to_vec())
            .ssl_opts(ssl)
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

/// Certificates of one's own make the connection an encrypted one, and are the only ones trusted then.
fn ssl(opts: &Opts, database: &Database) -> Result<Option<SslOpts>> {
    let asked = opts.ssl_opts().cloned();
    let Some(ca) = &database.ca else { return Ok(asked) };
    if !ca.is_file() {
        return Err(Error::invalid(format!("mirror_ca is {}: there is no such file", ca.display())));
    }
    let ssl = asked.unwrap_or_default().with_root_certs(vec![ca.clone().into()]);
    Ok(Some(ssl.with_disable_built_in_roots(true)))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn place(url: &str) -> Result<Place> {
        Place::of(&Database { url: SecretString::from(url.to_owned()), ca: None })
    }

    #[test]
    fn a_file_of_certificates_that_is_missing_is_named() {
        let url = SecretString::from("mysql://ann:hunter2@db.example/mall".to_owned());
        let error = Place::of(&Database { url, ca: Some("/no/such/ca.pem".into()) }).err().expect("no such file");
        assert!(error.to_string().contains("/no/such/ca.pem"), "{error}");
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
