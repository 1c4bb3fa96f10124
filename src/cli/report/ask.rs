//! A report from a server that has the directory open.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::HeaderValue;

use crate::base::error::{Error, Result};
use crate::http::{Auth, Place, Role};
use crate::mall::{Report, ReportPeriod, Span};
use crate::process::runtime;
use crate::settings::{Config, secret};
use crate::trials::Client;

/// Whose token asks, and for how long it is good.
const OPERATOR: &str = "report";
const TOKEN_TTL_MS: u64 = 5 * 60_000;

/// # Errors
/// `Invalid` when there is no secret to ask with, `Unavailable` when nobody answers, or with what the
/// server says.
pub(super) fn ask(config: &Config, server: SocketAddr, period: &ReportPeriod) -> Result<Report> {
    let secret = secret::configured_or_demo(config.auth_secret.clone(), &config.data_dir)?;
    let auth = config.expecting(Auth::new(&secret)?);
    let token = auth.issue_for(OPERATOR, Role::Operator, TOKEN_TTL_MS)?;
    let token = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|cause| Error::invalid("the token is no header").with_source(cause))?;
    let parameter = match period.span {
        Span::Daily => "date",
        Span::Weekly => "week",
    };
    let path = format!("/api/admin/reports/{}?{parameter}={}", period.span.name(), period.name);
    runtime()?.block_on(async {
        let mut client = Client::connect(server).await?;
        client.call(Method::GET, &path, &token, Bytes::new()).await
    })
}

/// Where the server of these settings answers operators on this machine: at the first address without
/// TLS.
///
/// # Errors
/// `Invalid` when it listens at none.
pub(in crate::cli) fn at_home(config: &Config) -> Result<SocketAddr> {
    let places = match &*config.operators_listen {
        [] => &config.listen,
        places => places,
    };
    let tcp = places.iter().find_map(|place| match place {
        Place::Tcp(address) => Some(*address),
        Place::Tls(_) | Place::Unix(_) => None,
    });
    let none = || {
        Error::invalid(
            "there is no address to ask without TLS: neither listen nor operators_listen has one",
        )
    };
    tcp.map(near).ok_or_else(none)
}

/// How a program of this machine reaches what listens there.
pub(in crate::cli) fn near(mut listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    listen
}
