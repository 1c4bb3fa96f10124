//! `stockhold token`: a bearer token for the configured secret, or one of the keys' file.

use clap::{Args, Subcommand, ValueEnum};
use secrecy::ExposeSecret;

use super::revoke::{self, RevokeArgs};
use super::serve::keys;
use crate::base::error::{Error, Result};
use crate::http::{Auth, Role, set_of_secret};
use crate::process::print;
use crate::settings::{Config, Flags, OfTokens, duration, secret};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    act: Option<Act>,
    /// Whose token: letters, digits and _ - . : @
    #[arg(long, required = true)]
    user: Option<String>,
    /// What its bearer may do
    #[arg(long, value_enum, default_value_t = RoleArg::User)]
    role: RoleArg,
    /// How long it is valid
    #[arg(long, default_value = "1h")]
    ttl: String,
    /// Print a link in its place, which signs a browser in: once, within ten minutes
    #[arg(long)]
    link: bool,
    /// Where browsers find the server that the link is for
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3000", requires = "link")]
    at: String,
    /// Which secret of --auth-keys signs it; auth_secret without
    #[arg(long)]
    kid: Option<String>,
    #[command(flatten)]
    settings: Flags<OfTokens>,
}

#[derive(Subcommand)]
enum Act {
    /// Tell a server that runs that tokens of a user, or everybody's, are good no more
    Revoke(Box<Revoke>),
    /// Print a new secret for a file of --auth-keys
    Secret {
        /// Its name, which tokens have in their header
        #[arg(long)]
        kid: String,
    },
}

#[derive(Args)]
struct Revoke {
    #[command(flatten)]
    revoke: RevokeArgs,
    /// Which secret of --auth-keys signs the request; auth_secret without
    #[arg(long)]
    kid: Option<String>,
    #[command(flatten)]
    settings: Flags<OfTokens>,
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleArg {
    User,
    Service,
    Operator,
    Admin,
    Monitor,
}

pub(super) fn token(args: &TokenArgs) -> Result<()> {
    match &args.act {
        Some(Act::Secret { kid }) => {
            let set = set_of_secret(kid, secret::random()?.expose_secret().as_bytes())?;
            return print(&format!("{set}\n"));
        }
        Some(Act::Revoke(asked)) => {
            let Revoke { revoke, kid, settings } = &**asked;
            let auth = auth(settings.settings()?, kid.is_some())?;
            return revoke::revoke(revoke, &auth, kid.as_deref());
        }
        None => {}
    }
    let user = args.user.as_deref().ok_or_else(|| Error::invalid("--user says whose token"))?;
    let role = match args.role {
        RoleArg::User => Role::User,
        RoleArg::Service => Role::Service,
        RoleArg::Operator => Role::Operator,
        RoleArg::Admin => Role::Admin,
        RoleArg::Monitor => Role::Monitor,
    };
    let auth = auth(args.settings.settings()?, args.kid.is_some())?;
    let ttl_ms = duration::parse_ms(&args.ttl)?;
    if args.link {
        let code = auth.issue_link_for(args.kid.as_deref(), user, role, ttl_ms)?;
        return print(&format!("{}\n", link(&args.at, &code)?));
    }
    let token = auth.issue_with(args.kid.as_deref(), user, role, ttl_ms)?;
    print(&format!("{token}\n"))
}

/// Where a browser goes with this code.
///
/// # Errors
/// `Invalid` when `at` is no address of a server.
pub(super) fn link(at: &str, code: &str) -> Result<String> {
    let is_address = at.starts_with("http://") || at.starts_with("https://");
    if !is_address || at.contains(['?', '#', ' ']) {
        let why =
            format!("--at is where the server is, as in https://shop.example, and not {at:?}");
        return Err(Error::invalid(why));
    }
    Ok(format!("{}/sign-in?code={code}", at.trim_end_matches('/')))
}

/// What signs: a key of the file where one is named, and otherwise the secret.
fn auth(config: Config, by_name: bool) -> Result<Auth> {
    let Some(path) = config.auth_keys.as_ref().filter(|_| by_name) else {
        let secret = secret::configured_or_demo(config.auth_secret.clone(), &config.data_dir)?;
        return Ok(config.expecting(Auth::new(&secret)?));
    };
    let auth = config.expecting(Auth::without_secret());
    auth.replace_keys(&keys::read(path)?)?;
    Ok(auth)
}
