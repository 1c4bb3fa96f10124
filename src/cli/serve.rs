//! `stockhold serve`: the server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;
use tokio::net::TcpListener;

use crate::base::error::{Error, Result};
use crate::engine::Engine;
use crate::http::{self, App, Auth, Limits, Role};
use crate::mall::{DEMO_USER, Mall, MallConfig};
use crate::process::stop::{Stage, WayOut};
use crate::process::{descriptors, logs, print, runtime};
use crate::settings::{self as config, Partial, Settings, secret};
use crate::sink::{self, Mirror, MirrorConfig, MirrorView};
use crate::trials::soak;

/// A mirror that is behind keeps segments open, of this size or larger.
const SEGMENT_BYTES: u64 = 64 << 20;
const DEMO_TOKEN_TTL_MS: u64 = 24 * 3_600_000;
/// How long what still runs beside the server is waited for at the end.
const RUNTIME_LIMIT: Duration = Duration::from_secs(1);
/// How long the greeting waits for somebody to read it.
const GREETING_LIMIT: Duration = Duration::from_secs(2);

#[derive(Args)]
pub(super) struct ServeArgs {
    /// Load the demo catalogue, and make a secret if none is set
    #[arg(long)]
    demo: bool,
    /// Where to listen [default: 127.0.0.1:3000] [env: STOCKHOLD_LISTEN]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Where to keep the data [default: ./data] [env: STOCKHOLD_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// How long an order waits for its confirmation [default: 15m] [env: STOCKHOLD_RESERVATION_TTL]
    #[arg(long, value_name = "TIME")]
    reservation_ttl: Option<String>,
    /// How long a clock that jumped forwards must stay so before deadlines follow it [default: 15m]
    /// [env: STOCKHOLD_CLOCK_TRUST_AFTER]
    #[arg(long, value_name = "TIME")]
    clock_trust_after: Option<String>,
    /// How many waiting orders a user may have [default: no limit] [env: STOCKHOLD_MAX_OUTSTANDING]
    #[arg(long, value_name = "N")]
    max_outstanding: Option<String>,
    /// For how long the answer to a request with an Idempotency-Key is kept [default: 24h] [env:
    /// STOCKHOLD_IDEMPOTENCY_WINDOW]
    #[arg(long, value_name = "TIME")]
    idempotency_window: Option<String>,
    /// How many of these answers are kept [default: 4194304] [env: STOCKHOLD_MAX_IDEMPOTENCY_KEYS]
    #[arg(long, value_name = "N")]
    max_idempotency_keys: Option<String>,
    /// How many of them of one user [default: 10000] [env: STOCKHOLD_MAX_IDEMPOTENCY_KEYS_PER_USER]
    #[arg(long, value_name = "N")]
    max_idempotency_keys_per_user: Option<String>,
    /// How many connections to serve at one time [default: 10000] [env: STOCKHOLD_MAX_CONNECTIONS]
    #[arg(long, value_name = "N")]
    max_connections: Option<String>,
    /// By how much the clocks of those who make tokens may differ from ours [default: 5s] [env:
    /// STOCKHOLD_TOKEN_LEEWAY]
    #[arg(long, value_name = "TIME")]
    token_leeway: Option<String>,
    /// How many of them one address may have, an IPv4 address or a /64 of IPv6 [default: half of
    /// them] [env: STOCKHOLD_MAX_CONNECTIONS_PER_ADDRESS]
    #[arg(long, value_name = "N")]
    max_connections_per_address: Option<String>,
    /// How long a kept connection may be idle: longer than the proxy before the server keeps it
    /// [default: 75s] [env: STOCKHOLD_IDLE_TIMEOUT]
    #[arg(long, value_name = "TIME")]
    idle_timeout: Option<String>,
    /// How long a client may take to send a request's head [default: 30s] [env:
    /// STOCKHOLD_HEAD_TIMEOUT]
    #[arg(long, value_name = "TIME")]
    head_timeout: Option<String>,
    /// How many bytes of answers may wait to be read by their clients [default: 256 MiB] [env:
    /// STOCKHOLD_ANSWER_MEMORY]
    #[arg(long, value_name = "BYTES")]
    answer_memory: Option<String>,
    /// How many of them for one user, or one address without a token [default: 32 MiB] [env:
    /// STOCKHOLD_ANSWER_MEMORY_PER_USER]
    #[arg(long, value_name = "BYTES")]
    answer_memory_per_user: Option<String>,
    /// How to log: text or json [default: text] [env: STOCKHOLD_LOG_FORMAT]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// After how long without an answer a disk counts as one that hangs [default: 5s] [env:
    /// STOCKHOLD_SYNC_TIMEOUT]
    #[arg(long, value_name = "TIME")]
    sync_timeout: Option<String>,
    /// How long stopping may take, whatever hangs [default: 60s] [env: STOCKHOLD_SHUTDOWN_TIMEOUT]
    #[arg(long, value_name = "TIME")]
    shutdown_timeout: Option<String>,
    /// With fewer free bytes than this nothing new is sold [default: 256 MiB] [env:
    /// STOCKHOLD_LOW_SPACE_MARK]
    #[arg(long, value_name = "BYTES")]
    low_space_mark: Option<String>,
    /// With more bytes of history than this nothing new is sold [default: 64 GiB] [env:
    /// STOCKHOLD_HISTORY_BYTES_MAX]
    #[arg(long, value_name = "BYTES")]
    history_bytes_max: Option<String>,
    /// How many orders a user may make, confirm and cancel in a minute, all together [default:
    /// 1200] [env: STOCKHOLD_USER_REQUESTS_PER_MINUTE]
    #[arg(long, value_name = "N")]
    user_requests_per_minute: Option<String>,
    /// How many bytes those may write [default: 1 MiB] [env: STOCKHOLD_USER_BYTES_PER_MINUTE]
    #[arg(long, value_name = "BYTES")]
    user_bytes_per_minute: Option<String>,
    /// Mirror everything into this database, as mysql://USER:PASSWORD@HOST:PORT/DATABASE; other
    /// users of the machine can read flags, so a password is better set in the environment or the
    /// file [env: STOCKHOLD_MIRROR_URL]
    #[arg(long, value_name = "URL")]
    mirror_url: Option<SecretString>,
    /// Certificates (PEM), one of which must have signed that of the mirror's server; encrypts the
    /// connection [env: STOCKHOLD_MIRROR_CA]
    #[arg(long, value_name = "FILE")]
    mirror_ca: Option<PathBuf>,
    /// What the names of the mirror's tables begin with; `none` for nothing [default: nothing, or
    /// stockhold_ where an application has tables of those names] [env: STOCKHOLD_MIRROR_PREFIX]
    #[arg(long, value_name = "PREFIX")]
    mirror_prefix: Option<String>,
    /// Leave the mirror's tables as they are; they must be up to date then [env:
    /// STOCKHOLD_MIRROR_MIGRATE=false]
    #[arg(long)]
    no_mirror_migrate: bool,
    /// How many bytes of the journal to keep for a mirror that is behind [default: 16 GiB] [env:
    /// STOCKHOLD_MIRROR_BACKLOG_MAX]
    #[arg(long, value_name = "BYTES")]
    mirror_backlog_max: Option<String>,
    /// What to do when that is not enough: keep or drop [default: drop] [env:
    /// STOCKHOLD_MIRROR_BACKLOG_POLICY]
    #[arg(long, value_name = "POLICY")]
    mirror_backlog_policy: Option<String>,
    /// A TOML file with the same settings, and auth_secret
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Serve for `stockhold soak`, which holds the clock; no variable and no file can say this
    #[arg(long, hide = true)]
    soaked: bool,
}

impl ServeArgs {
    fn partial(&self) -> Partial {
        Partial {
            listen: self.listen.clone(),
            data_dir: self.data_dir.clone(),
            reservation_ttl: self.reservation_ttl.clone(),
            clock_trust_after: self.clock_trust_after.clone(),
            // Never a flag: other users of the machine can read flags.
            auth_secret: None,
            token_leeway: self.token_leeway.clone(),
            log_format: self.log_format.clone(),
            max_connections: self.max_connections.clone().map(config::Number::Text),
            max_connections_per_address: self
                .max_connections_per_address
                .clone()
                .map(config::Number::Text),
            idle_timeout: self.idle_timeout.clone(),
            head_timeout: self.head_timeout.clone(),
            answer_memory: self.answer_memory.clone().map(config::Number::Text),
            answer_memory_per_user: self.answer_memory_per_user.clone().map(config::Number::Text),
            max_outstanding: self.max_outstanding.clone().map(config::Number::Text),
            idempotency_window: self.idempotency_window.clone(),
            max_idempotency_keys: self.max_idempotency_keys.clone().map(config::Number::Text),
            max_idempotency_keys_per_user: self
                .max_idempotency_keys_per_user
                .clone()
                .map(config::Number::Text),
            sync_timeout: self.sync_timeout.clone(),
            shutdown_timeout: self.shutdown_timeout.clone(),
            low_space_mark: self.low_space_mark.clone().map(config::Number::Text),
            history_bytes_max: self.history_bytes_max.clone().map(config::Number::Text),
            user_requests_per_minute: self
                .user_requests_per_minute
                .clone()
                .map(config::Number::Text),
            user_bytes_per_minute: self.user_bytes_per_minute.clone().map(config::Number::Text),
            mirror_url: self.mirror_url.clone(),
            mirror_ca: self.mirror_ca.clone(),
            mirror_prefix: self.mirror_prefix.clone(),
            mirror_migrate: self.no_mirror_migrate.then_some(config::Flag::Flag(false)),
            mirror_backlog_max: self.mirror_backlog_max.clone().map(config::Number::Text),
            mirror_backlog_policy: self.mirror_backlog_policy.clone(),
        }
    }
}

pub(super) fn serve(args: &ServeArgs) -> Result<()> {
    let settings = config::settings(args.partial(), args.config.as_deref())?;
    logs::start(settings.log_format)?;
    let way_out = WayOut::listen(settings.shutdown_timeout)?;
    let limits = limits(&settings)?;
    let auth =
        Auth::new(&serving_secret(&settings, args.demo)?)?.leeway_ms(settings.token_leeway_ms);
    let trust_after = Duration::from_millis(settings.clock_trust_after_ms);
    let mut builder = Engine::builder(&settings.data_dir)
        .clock_trust_after(trust_after)
        .idempotency_window_ms(settings.keys.window_ms)
        .idempotency_keys(settings.keys.count_max)
        .idempotency_keys_per_owner(settings.keys.per_user_max)
        .sync_limit(settings.sync_timeout)
        .close_limit(settings.shutdown_timeout / 2)
        .low_space_mark(settings.low_space_mark)
        .history_bytes_max(settings.history_bytes_max);
    if args.soaked {
        builder = soak::soaked(builder)?;
    }
    let engine = builder.open()?;
    let served = start_mirror(&engine, settings.mirror.as_ref()).and_then(|mirror| {
        let served = run(
            args.demo,
            &settings,
            limits,
            auth,
            &engine,
            mirror.as_ref().map(Mirror::view),
            &way_out,
        );
        // Before the engine closes: it follows the journal.
        way_out.enter(Stage::Mirror);
        if let Some(mirror) = mirror {
            mirror.stop();
        }
        served
    });
    // Whatever ended the server, what was acknowledged is checkpointed for a fast start.
    way_out.enter(Stage::Closing);
    let closed = engine.close();
    served.and(closed)
}

fn serving_secret(settings: &Settings, demo: bool) -> Result<SecretString> {
    match &settings.auth_secret {
        Some(secret) => Ok(secret.clone()),
        None if demo => secret::demo(&settings.data_dir),
        None => Err(Error::invalid(
            "there is no secret for tokens: set STOCKHOLD_AUTH_SECRET, or auth_secret in the configuration file, to at \
             least 32 bytes; or start with --demo",
        )),
    }
}

fn start_mirror(engine: &Engine, config: Option<&MirrorConfig>) -> Result<Option<Mirror>> {
    if config.is_none() && engine.claims().iter().any(|name| name == sink::CLAIM) {
        // What was promised is kept; whoever ended the mirror for good should know the price.
        tracing::warn!(
            "there is no mirror_url, but the journal is kept for a mirror: see docs/mirror.md"
        );
    }
    config.map(|config| Mirror::start(engine, config.clone())).transpose()
}

/// The bounds of the server, as far as the machine allows them.
fn limits(settings: &Settings) -> Result<Limits> {
    let segments =
        settings.mirror.as_ref().map_or(0, |mirror| mirror.backlog.bytes_max / SEGMENT_BYTES);
    let connections = descriptors::connections(settings.connections_max, segments)?;
    let defaults = Limits::default();
    Ok(Limits {
        connections,
        connections_per_address: settings.connections_per_address_max.min(connections),
        idle_timeout: settings.idle_timeout,
        header_timeout: settings.head_timeout,
        answer_bytes: settings.answer_bytes_max,
        answer_bytes_per_user: settings.answer_bytes_per_user_max,
        drain_timeout: defaults.drain_timeout.min(settings.shutdown_timeout / 3),
        user_requests_per_minute: Some(settings.user_requests_per_minute),
        user_bytes_per_minute: Some(settings.user_bytes_per_minute),
        ..defaults
    })
}

fn run(
    demo: bool,
    settings: &Settings,
    limits: Limits,
    auth: Auth,
    engine: &Engine,
    mirror: Option<MirrorView>,
    way_out: &WayOut,
) -> Result<()> {
    let config = MallConfig {
        reservation_ttl_ms: settings.reservation_ttl_ms,
        outstanding_max: settings.outstanding_max,
    };
    let mall = Mall::open(engine.clone(), config)?;
    let hint = if demo {
        mall.load_demo()?;
        Some(auth.issue_for(DEMO_USER, Role::User, DEMO_TOKEN_TTL_MS)?)
    } else {
        None
    };
    let app = Arc::new(App::new(mall, auth, limits).with_mirror(mirror));
    let runtime = runtime()?;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(settings.listen)
            .await
            .map_err(|cause| Error::io(format!("listening on {}", settings.listen), cause))?;
        let address =
            listener.local_addr().map_err(|cause| Error::io("the listener's address", cause))?;
        // Before anybody hears where it is: a signal from then on is one to a server.
        way_out.enter(Stage::Serving);
        announce(address, hint.as_deref())?;
        tokio::select! {
            () = http::run(listener, way_out.asked(1), app) => {}
            () = way_out.asked(2) => {}
        }
        Ok(())
    });
    // A read of history that hangs is not waited for.
    runtime.shutdown_timeout(RUNTIME_LIMIT);
    served
}

/// Says what to try next.
fn announce(address: SocketAddr, demo_token: Option<&str>) -> Result<()> {
    tracing::info!(%address, "serving");
    let next = demo_token.map_or_else(
        || "Make a token with: stockhold token --user NAME\n".to_owned(),
        |token| {
            format!(
                "\nTry:\n\n  curl -s http://{address}/api/mall/products\n\n  \
                 curl -s http://{address}/api/mall/exchange \\\n    -H 'Authorization: Bearer {token}' \\\n    \
                 -H 'Content-Type: application/json' \\\n    \
                 -d '{{\"productId\":\"prod_starbucks\",\"quantity\":1,\"confirm\":true}}'\n\n  \
                 curl -s http://{address}/api/points/balance -H 'Authorization: Bearer {token}'\n\n\
                 The token is valid for a day; `stockhold token --user {DEMO_USER}` with the same --data-dir makes \
                 another.\n"
            )
        },
    );
    greet(format!("Stockhold is serving on http://{address}\n{next}"))
}

/// Prints in a thread of its own: a pipe whose reader stands still keeps nobody from being served.
fn greet(text: String) -> Result<()> {
    let (done, is_done) = mpsc::channel();
    let greeted = move || {
        // Nobody may wait any more.
        let _ = done.send(print(&text));
    };
    let thread = thread::Builder::new().name("stockhold-greeting".into()).spawn(greeted);
    thread.map_err(|cause| Error::io("starting a thread", cause))?;
    is_done.recv_timeout(GREETING_LIMIT).unwrap_or_else(|_| {
        tracing::warn!("nobody reads the standard output");
        Ok(())
    })
}
