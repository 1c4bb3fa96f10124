//! `stockhold token`: a bearer token for the configured secret.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::base::error::Result;
use crate::http::{Auth, Role};
use crate::process::print;
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
    let secret = secret::configured_or_demo(settings.auth_secret, &settings.data_dir)?;
    let role = match args.role {
        RoleArg::User => Role::User,
        RoleArg::Admin => Role::Admin,
    };
    let token = Auth::new(&secret)?.issue_for(&args.user, role, duration::parse_ms(&args.ttl)?)?;
    print(&format!("{token}\n"))
}
