//! `stockhold token`: a bearer token for the configured secret.

use clap::{Args, ValueEnum};

use crate::base::error::Result;
use crate::http::{Auth, Role};
use crate::process::print;
use crate::settings::{Flags, OfData, duration, secret};

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
    #[command(flatten)]
    settings: Flags<OfData>,
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleArg {
    User,
    Service,
    Operator,
    Admin,
}

pub(super) fn token(args: &TokenArgs) -> Result<()> {
    let config = args.settings.settings()?;
    let secret = secret::configured_or_demo(config.auth_secret, &config.data_dir)?;
    let role = match args.role {
        RoleArg::User => Role::User,
        RoleArg::Service => Role::Service,
        RoleArg::Operator => Role::Operator,
        RoleArg::Admin => Role::Admin,
    };
    let token = Auth::new(&secret)?.issue_for(&args.user, role, duration::parse_ms(&args.ttl)?)?;
    print(&format!("{token}\n"))
}
