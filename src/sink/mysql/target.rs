//! Where the database is.

use std::time::Duration;

use mysql_async::{Conn, Opts, OptsBuilder, PoolConstraints, PoolOpts, SslOpts};
use secrecy::ExposeSecret;

use super::pool::Pool;
use super::prefix::Prefix;
use super::session::PATIENCE;
use super::variables::SETUP;
use crate::base::error::{Error, Result};
use crate::sink::Database;

/// Statements that stay prepared: each has as many as there are sizes of chunks.
const STATEMENTS: usize = 96;

/// Whether this names a database.
///
/// # Errors
/// `Invalid` when it does not, saying which setting is wrong.
pub(crate) fn check_database(database: &Database) -> Result<()> {
    Target::of(database).map(drop)
}

/// Where the database is, checked.
#[derive(Clone)]
pub(super) struct Target {
    opts: Opts,
    prefix: Option<Prefix>,
}

impl Target {
    /// # Errors
    /// `Invalid` when the URL is not that of a MySQL database. The URL is never repeated: it holds
    /// a password.
    pub(super) fn of(database: &Database) -> Result<Self> {
        let wrong = |what: &str| {
            Error::invalid(format!(
                "mirror_url: {what}: it must be mysql://USER:PASSWORD@HOST:PORT/DATABASE"
            ))
        };
        let url = database.url.expose_secret();
        if let Some(end) = unescaped(url) {
            return Err(wrong(&format!(
                "the user or the password has `{end}` in it, which must be written {}",
                code(end)
            )));
        }
        let opts = Opts::from_url(url).map_err(|cause| wrong(&cause.to_string()))?;
        if opts.db_name().is_none_or(str::is_empty) {
            return Err(wrong("it names no database"));
        }
        let constraints = PoolConstraints::new(0, 4).expect("the least is no more than the most");
        // Without a socket in the URL the address is meant: a proxy at it is meant to be there.
        let by_socket = opts.socket().is_some();
        // A socket stays on this machine, and the client cannot encrypt one.
        let ssl = if by_socket { None } else { ssl(&opts, database)? };
        let host = opts.ip_or_hostname();
        // An address of IPv6 stands in brackets in a URL, and nowhere else.
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host)
            .to_owned();
        let builder = OptsBuilder::from_opts(opts)
            .ip_or_hostname(host)
            .prefer_socket(by_socket)
            .tcp_nodelay(true)
            .tcp_keepalive(Some(Duration::from_secs(5)))
            .stmt_cache_size(STATEMENTS)
            .setup(SETUP.map(str::to_owned).to_vec())
            .ssl_opts(ssl)
            .pool_opts(PoolOpts::default().with_constraints(constraints));
        let prefix = database.prefix.as_deref().map(Prefix::of).transpose()?;
        Ok(Self { opts: builder.into(), prefix })
    }

    pub(super) async fn pool(&self) -> Pool {
        Pool::new(mysql_async::Pool::new(self.named().await), self.prefix)
    }

    /// With `verify_identity=false` the server is called by a name that its own certificate has,
    /// once it is known: the client takes none that has another name, whatever it was told.
    /// Everything else of the certificate is verified.
    async fn named(&self) -> Opts {
        let opts = self.opts.clone();
        let Some(ssl) = opts
            .ssl_opts()
            .filter(|ssl| ssl.skip_domain_validation() && !ssl.accept_invalid_certs())
        else {
            return opts;
        };
        let refused = match tokio::time::timeout(PATIENCE, Conn::new(opts.clone())).await {
            Ok(Err(refused)) => refused.to_string(),
            _ => return opts,
        };
        let Some(name) = certified_name(&refused) else {
            return opts;
        };
        let ssl = ssl.clone().with_danger_tls_hostname_override(Some(name));
        OptsBuilder::from_opts(opts).ssl_opts(Some(ssl)).into()
    }

    /// The target without user and password, for people.
    pub(super) fn shown(&self) -> String {
        let name = self.opts.db_name().unwrap_or_default();
        match self.opts.socket() {
            Some(socket) => format!("{name} on {socket}"),
            None if self.opts.ip_or_hostname().contains(':') => {
                format!("{name} on [{}]:{}", self.opts.ip_or_hostname(), self.opts.tcp_port())
            }
            None => format!("{name} on {}:{}", self.opts.ip_or_hostname(), self.opts.tcp_port()),
        }
    }
}

/// What ends the user and password of a URL before their `@` does: it belongs to one of them, and
/// was not escaped.
fn unescaped(url: &str) -> Option<char> {
    let (_, rest) = url.split_once("://")?;
    let at = rest.find(['/', '?', '#'])?;
    let (login, after) = rest.split_at(at);
    let end = after.chars().next()?;
    // An `@` in what a URL asks for, as in a socket's path, is where it belongs.
    let path = if end == '/' { after.split('?').next()? } else { after };
    (!login.contains('@') && path.contains('@')).then_some(end)
}

/// A name that a certificate has which was refused for having no other.
fn certified_name(refused: &str) -> Option<String> {
    let (_, names) = refused.split_once("certificate is only valid for ")?;
    let between = |begin: &str, end: char| Some(names.split_once(begin)?.1.split_once(end)?.0);
    let name = between("DnsName(\"", '"').or_else(|| between("IpAddress(", ')'))?;
    // One that stands for many is met by any of them.
    Some(name.replace('*', "any"))
}

/// A character as a URL has it.
fn code(character: char) -> String {
    format!("%{:02X}", u32::from(character))
}

/// Certificates of one's own make the connection an encrypted one, and are the only ones trusted
/// then.
fn ssl(opts: &Opts, database: &Database) -> Result<Option<SslOpts>> {
    let asked = opts.ssl_opts().cloned();
    let Some(ca) = &database.ca else {
        return Ok(asked);
    };
    if !ca.is_file() {
        return Err(Error::invalid(format!(
            "mirror_ca is {}: there is no such file",
            ca.display()
        )));
    }
    let ssl = asked.unwrap_or_default().with_root_certs(vec![ca.clone().into()]);
    Ok(Some(ssl.with_disable_built_in_roots(true)))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn target_of(url: &str) -> Result<Target> {
        Target::of(&Database { url: SecretString::from(url.to_owned()), ca: None, prefix: None })
    }

    #[test]
    fn a_file_of_certificates_that_is_missing_is_named() {
        let url = SecretString::from("mysql://ann:hunter2@db.example/mall".to_owned());
        let error = Target::of(&Database { url, ca: Some("/no/such/ca.pem".into()), prefix: None })
            .err()
            .expect("no such file");
        assert!(error.to_string().contains("/no/such/ca.pem"), "{error}");
    }

    #[test]
    fn hosts_are_names_addresses_of_both_kinds_and_sockets() {
        for (url, shown, host) in [
            ("mysql://ann@[::1]:3307/mall", "mall on [::1]:3307", "::1"),
            ("mysql://ann@[2001:db8::7]/mall", "mall on [2001:db8::7]:3306", "2001:db8::7"),
            ("mysql://ann@127.0.0.1/mall", "mall on 127.0.0.1:3306", "127.0.0.1"),
            ("mysql://db.example/mall?socket=/run/a@b", "mall on /run/a@b", "db.example"),
        ] {
            let target = target_of(url).expect(url);
            assert_eq!(
                (target.shown().as_str(), target.opts.ip_or_hostname()),
                (shown, host),
                "{url}"
            );
        }
    }

    #[test]
    fn a_certificate_is_called_by_its_own_name() {
        let refused = |names: &str| {
            format!("certificate not valid for name \"h\"; certificate is only valid for {names}")
        };
        for (names, name) in [
            ("DnsName(\"db.internal\")", Some("db.internal")),
            ("IpAddress(10.0.0.1) or DnsName(\"*.db.internal\")", Some("any.db.internal")),
            ("IpAddress(10.0.0.1)", Some("10.0.0.1")),
            ("nobody", None),
        ] {
            assert_eq!(certified_name(&refused(names)).as_deref(), name, "{names}");
        }
        assert_eq!(certified_name("certificate not valid for name \"h\""), None);
    }

    #[test]
    fn a_socket_needs_no_encryption() {
        let by = |more: &str| {
            target_of(&format!("mysql://ann@localhost/mall?require_ssl=true{more}"))
                .expect("a valid URL")
        };
        assert!(by("").opts.ssl_opts().is_some());
        assert!(by("&socket=/run/mysqld.sock").opts.ssl_opts().is_none());
    }

    #[test]
    fn a_url_is_checked_and_its_password_never_told() {
        let told =
            target_of("mysql://ann:hunter2@db.example:3307/mall").expect("a valid URL").shown();
        assert_eq!(told, "mall on db.example:3307");
        for (url, part) in [
            ("mysql://ann:hunter2@db.example", "no database"),
            ("mysql://ann:hunter2@db.example/", "no database"),
            ("postgres://ann:hunter2@db.example/mall", "postgres"),
            ("mysql://ann:hunter2@db.example/mall?colour=red", "colour"),
            ("ann:hunter2@db.example/mall", "mysql://USER"),
            ("hunter2", "mysql://USER"),
            ("mysql://ann:hunter2@db.example:port/mall", "port"),
            ("mysql://ann:hunter2/x@db.example:3306/mall", "`/` in it, which must be written %2F"),
            ("mysql://ann:hunter2?x@db.example:3306/mall", "`?` in it, which must be written %3F"),
            ("mysql://ann:hunter2#x@db.example:3306/mall", "`#` in it, which must be written %23"),
            // So much is a host, a port and a database, and would be asked for the name that the
            // first one has.
            ("mysql://ann:3306/hunter2@db.example/mall", "`/` in it"),
        ] {
            let error = target_of(url).err().expect(url).to_string();
            assert!(error.contains(part) && !error.contains("hunter2"), "{url}: {error}");
        }
    }
}
