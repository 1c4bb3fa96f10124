//! How the mirror runs, as operators set it.

use std::path::PathBuf;

use secrecy::SecretString;

/// The settings of a mirror.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "mysql"), allow(dead_code, reason = "nothing runs that would read them"))]
pub(crate) struct MirrorConfig {
    pub(crate) database: Database,
    /// Brings the tables up to date at the start.
    pub(crate) migrate: bool,
    pub(crate) backlog: Backlog,
}

/// Where the database is, and how it is known to be the right one.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "mysql"), allow(dead_code, reason = "nothing runs that would read them"))]
pub(crate) struct Database {
    /// It holds a password.
    pub(crate) url: SecretString,
    /// A file of certificates (PEM), one of which must have signed the server's. `None` trusts the
    /// public ones.
    pub(crate) ca: Option<PathBuf>,
    /// What the names of the mirror's tables begin with. `None` is nothing, or something of the
    /// mirror's own where an application has tables of those names.
    pub(crate) prefix: Option<String>,
}

/// How much of the journal may be kept for a mirror that is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// In bytes of the journal's sealed segments.
    pub(crate) bytes_max: u64,
    pub(crate) policy: BacklogPolicy,
}

/// What happens when that is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BacklogPolicy {
    /// The journal keeps everything all the same, and the mirror raises an alarm.
    Keep,
    /// The journal is let go of, into the archive and out of it. A mirror that then misses
    /// something demands a reload.
    Drop,
}
