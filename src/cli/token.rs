//! `stockhold token`: a bearer token for the configured secret.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use secrecy::SecretString;

use crate::base::clock::{Clock, SystemClock};
use crate::base::error::{Error, Result};
use crate::http::{Auth, Role};
use crate::settings::{self as config, duration, secret};

#[derive(Args)]
pub(super) struct TokenArgs {
    /// Whose token: letters, digits and _ - . : @
    #[arg(long)]
    user: String,
    /// What its bearer may do
    #[arg(long, value_enum, default_value_t = RoleArg::User)]
    role: RoleArg,
    /// How long it is valid
    #[arg(long, default_value = "1h")]
    ttl: String,
    /// Where the server keeps its data; a demo's secret is found there [default: ./data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The server's configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleArg {
    User,
    Admin,
}

pub(super) fn token(args: &TokenArgs) -> Result<()> {
    let flags = config::Partial { data_dir: args.data_dir.clone(), ..config::Partial::default() };
    let settings = config::settings(flags, args.config.as_deref())?;
    let secret = configured_or_demo(settings.auth_secret, &settings.data_dir)?;
    let role = match args.role {
        RoleArg::User => Role::User,
        RoleArg::Admin => Role::Admin,
    };
    let token = issue(&Auth::new(&secret)?, &args.user, role, duration::parse_ms(&args.ttl)?)?;
    super::print(&format!("{token}\n"))
}

/// The configured secret, or that of the demo in `data_dir`.
pub(crate) fn configured_or_demo(
    configured: Option<SecretString>,
    data_dir: &Path,
) -> Result<SecretString> {
    let secret = match configured {
        Some(secret) => Some(secret),
        None => secret::find_demo(data_dir)?,
    };
    secret.ok_or_else(|| {
        Error::invalid(format!(
            "there is no secret: set STOCKHOLD_AUTH_SECRET, or auth_secret in the configuration file, or name the \
             directory of a demo with --data-dir (looked in {})",
            data_dir.display()
        ))
    })
}

/// A token that is valid from now on for `ttl_ms`.
pub(crate) fn issue(auth: &Auth, user: &str, role: Role, ttl_ms: u64) -> Result<String> {
    auth.issue(user, role, SystemClock::default().now_ms().saturating_add(ttl_ms))
}
