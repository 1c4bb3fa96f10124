//! `stockhold token revoke`: tells a server that runs which tokens are good no more.

use std::time::Duration;

use clap::Args;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::base::error::{Error, Result};
use crate::http::{Auth, Role};
use crate::outgoing::{Client, Endpoint, Guard, Limits, Sent, Trust};
use crate::process::{print, runtime};

const PATH: &str = "/api/admin/revocations";
/// As administrators' requests have it for everybody.
const EVERYBODY: &str = "*";
/// How long the token is good that asks for it.
const TOKEN_TTL_MS: u64 = 60_000;
const LIMITS: Limits = Limits {
    connect_timeout: Duration::from_secs(5),
    timeout: Duration::from_secs(30),
    body_bytes_max: 64 << 10,
};

#[derive(Args)]
pub(super) struct RevokeArgs {
    /// Whose tokens
    #[arg(long, required_unless_present = "all", conflicts_with = "all")]
    user: Option<String>,
    /// Everybody's, those of administrators too
    #[arg(long)]
    all: bool,
    /// Only those made before this time, in UTC as in 2026-03-01T09:30:00Z [default: now]
    #[arg(long, value_name = "TIME", conflicts_with = "lift")]
    before: Option<String>,
    /// Why
    #[arg(long, conflicts_with = "lift")]
    reason: Option<String>,
    /// Take the revocation back
    #[arg(long)]
    lift: bool,
    /// Who is on record as having done it
    #[arg(long, default_value = "stockhold-token")]
    by: String,
    /// Where the server is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3000")]
    server: String,
}

/// Asks the server, with a token of `auth` for an administrator.
pub(super) fn revoke(args: &RevokeArgs, auth: &Auth, kid: Option<&str>) -> Result<()> {
    let token = auth.issue_with(kid, &args.by, Role::Admin, TOKEN_TTL_MS)?;
    let whose = args.user.as_deref().unwrap_or(EVERYBODY);
    let before = args.before.as_deref().map(super::audit::parse_time).transpose()?;
    let (method, path, body) = match args.lift {
        true => (Method::DELETE, format!("{PATH}/{whose}"), Bytes::new()),
        false => {
            let body = json!({"userId": whose, "issuedBefore": before, "reason": args.reason});
            (Method::POST, PATH.to_owned(), body.to_string().into())
        }
    };
    let mut headers = HeaderMap::new();
    let bearer = HeaderValue::try_from(format!("Bearer {token}"));
    headers.insert(AUTHORIZATION, bearer.map_err(|_| Error::invalid("the token is no header"))?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let base = args.server.trim_end_matches('/');
    let endpoint = Endpoint::parse(&format!("{base}{path}"))?;
    // Whoever gives this command says where to.
    let guard = Guard::new([endpoint.host().to_owned()]);
    let client = Client::new(guard, Trust::new(None)?, LIMITS);
    let sending = async move { client.send(&endpoint, Sent { method, headers, body }).await };
    let answer = runtime()?.block_on(sending);
    let answer = answer.map_err(|cause| {
        let why = format!("{}: {cause}", args.server);
        match cause.may_have_arrived() {
            true => Error::unavailable(format!("{why}. It may be done all the same: ask again")),
            false => Error::unavailable(format!("{why}. Nothing was revoked")),
        }
    })?;
    let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if !answer.status.is_success() {
        let message = told["message"].as_str().unwrap_or("it does not say why");
        return Err(Error::invalid(format!("the server says {}: {message}", answer.status)));
    }
    print(&format!("{}\n", told["data"]))
}
