//! `stockhold serve`: the server.

mod backups;
mod check;
mod early;
mod greeting;
pub(super) mod keys;
mod keys_url;
mod reports;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use self::backups::Backups;
use self::early::{Early, Sockets};
use self::keys::KeysFile;
use self::keys_url::KeysAt;
use self::reports::{Deliveries, Receivers};
use crate::backup::BackupView;
use crate::base::error::{Error, Result};
use crate::base::spans::SpanCounts;
use crate::engine::Engine;
use crate::http::{self, App, Auth, Limits, Role};
use crate::mall::elsewhere::PointsElsewhere;
use crate::mall::{DEMO_USER, Mall};
use crate::points;
use crate::process::activation;
use crate::process::notify::Notify;
use crate::process::stop::{Stage, WayOut};
use crate::process::traces::Traces;
use crate::process::{descriptors, logs, runtime};
use crate::settings::{Config, Flags, OfServer, PointsConfig, secret};
use crate::sink::{self, Mirror, MirrorConfig, MirrorView};
use crate::trials::soak;

/// A mirror that is behind keeps segments open, of this size or larger.
const SEGMENT_BYTES: u64 = 64 << 20;
const DEMO_TOKEN_TTL_MS: u64 = 24 * 3_600_000;
/// How long what still runs beside the server is waited for at the end.
const RUNTIME_LIMIT: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(super) struct ServeArgs {
    /// Load the demo catalogue, and make a secret if none is set
    #[arg(long)]
    demo: bool,
    /// Look at all settings as a start would, show what is in force and all that is wrong, and end
    #[arg(long)]
    check_config: bool,
    #[command(flatten)]
    settings: Flags<OfServer>,
    /// Serve for `stockhold soak`, which holds the clock; no variable and no file can say this
    #[arg(long, hide = true)]
    soaked: bool,
}

pub(super) fn serve(args: &ServeArgs) -> Result<()> {
    if args.check_config {
        return check::check(args);
    }
    let mut config = args.settings.settings()?;
    // Before there is any other thread.
    let inherited = activation::inherited()?;
    let traces = config.traces()?.map(|traces| Traces::new(&traces, &config.log.service));
    let traces = traces.transpose()?;
    logs::start(&config.log, config.auth_secret.as_ref(), traces.as_ref())?;
    let way_out = WayOut::listen(config.shutdown_timeout)?;
    let mirror = config.mirror();
    let sockets = Sockets::new(&config, inherited);
    let limits = limits(&config, sockets.are_apart(), mirror.as_ref())?;
    let leeway_ms = config.token_leeway.as_millis() as u64;
    let auth = config.expecting(auth(&config, args.demo)?);
    let auth = Arc::new(auth.leeway_ms(leeway_ms));
    let keys = config.auth_keys.as_deref().map(|path| KeysFile::load(path, &auth)).transpose()?;
    let keys_at = config.keys_url().map(KeysAt::new).transpose()?;
    let runtime = runtime()?;
    let spans = traces.as_ref().map(Traces::counts);
    let telling = traces.map(|traces| traces.start(&runtime));
    let early = Early::listen(&runtime, sockets)?;
    let notify = Notify::of_environment();
    let replaying = runtime.spawn(notify.clone().starting());
    let mut builder = config.take_engine();
    if args.soaked {
        builder = soak::soaked(builder)?;
    }
    let engine = builder.open()?;
    let backup =
        config.backup().map(|backup| Backups::start(engine.clone(), &config.data_dir, backup));
    let backup = match backup.transpose() {
        Ok(backup) => backup,
        Err(error) => return engine.close().and(Err(error)),
    };
    let copies = backup.as_ref().map(Backups::view);
    let served = start_mirror(&engine, mirror).and_then(|mirror| {
        let engine = engine.clone();
        let server =
            Server { demo: args.demo, config, limits, auth, keys, keys_at, copies, spans, engine };
        let view = mirror.as_ref().map(Mirror::view);
        let began = Began { early, notify, replaying };
        let served = server.run(view, &runtime, began, &way_out);
        if let Some(telling) = telling {
            runtime.block_on(telling.stop());
        }
        // A read of history that hangs is not waited for.
        runtime.shutdown_timeout(RUNTIME_LIMIT);
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
    if let Some(backup) = backup {
        way_out.enter(Stage::Backup);
        backup.stop();
    }
    served.and(closed)
}

fn auth(config: &Config, demo: bool) -> Result<Auth> {
    let has_keys = config.auth_keys.is_some() || config.keys_url().is_some();
    match &config.auth_secret {
        Some(secret) => Auth::new(secret),
        None if demo => Auth::new(&secret::demo(&config.data_dir)?),
        None if has_keys => Ok(Auth::without_secret()),
        None => Err(Error::invalid(
            "there is no secret for tokens: set STOCKHOLD_AUTH_SECRET, or auth_secret in the \
             configuration file, to at least 32 bytes; or name a file of keys with --auth-keys, or \
             where they are published with --auth-keys-url; or start with --demo",
        )),
    }
}

fn start_mirror(engine: &Engine, config: Option<MirrorConfig>) -> Result<Option<Mirror>> {
    if config.is_none() && engine.claims().iter().any(|name| name == sink::CLAIM) {
        // What was promised is kept; whoever ended the mirror for good should know the price.
        tracing::warn!(
            "there is no mirror_url, but the journal is kept for a mirror: see docs/mirror.md"
        );
    }
    config.map(|config| Mirror::start(engine, config)).transpose()
}

/// The bounds of the server, as far as the machine allows them. Connections of operators count apart
/// where they have listeners of their own.
fn limits(config: &Config, is_apart: bool, mirror: Option<&MirrorConfig>) -> Result<Limits> {
    let wanted = config.limits.connections;
    let connections = descriptors::connections(wanted, besides(config, is_apart, mirror))?;
    let per_address = config.connections_per_address.unwrap_or(wanted.div_ceil(2));
    let connections_per_address = per_address.min(connections);
    Ok(Limits { connections, connections_per_address, ..config.limits.clone() })
}

/// How many descriptors others than the connections of users may need: the segments that a mirror
/// which is behind keeps open, and connections of operators.
fn besides(config: &Config, is_apart: bool, mirror: Option<&MirrorConfig>) -> u64 {
    let operators = if is_apart { config.limits.operators_connections as u64 } else { 0 };
    mirror.map_or(0, |mirror| mirror.backlog.bytes_max / SEGMENT_BYTES).saturating_add(operators)
}

/// The service that keeps the points.
fn points_elsewhere(config: PointsConfig) -> Result<PointsElsewhere> {
    let PointsConfig { service, patience, queue, breaker } = config;
    let service = Arc::new(points::Client::new(&service)?);
    Ok(PointsElsewhere { service, breaker, patience, queue })
}

/// What was begun before the engine was open.
struct Began {
    early: Early,
    notify: Notify,
    /// Asks for more time until it is aborted.
    replaying: JoinHandle<()>,
}

/// What is served, and how.
struct Server {
    demo: bool,
    config: Config,
    limits: Limits,
    auth: Arc<Auth>,
    keys: Option<KeysFile>,
    keys_at: Option<KeysAt>,
    copies: Option<BackupView>,
    spans: Option<Arc<SpanCounts>>,
    engine: Engine,
}

impl Server {
    /// Serves until somebody asks to stop.
    fn run(
        self,
        mirror: Option<MirrorView>,
        runtime: &Runtime,
        began: Began,
        way_out: &WayOut,
    ) -> Result<()> {
        let Self { demo, config, limits, auth, keys, keys_at, copies, spans, engine } = self;
        let points = config.points()?.map(points_elsewhere).transpose()?;
        let mall = Mall::open_with(engine, config.mall.clone(), points)?;
        let hint = if demo {
            mall.load_demo()?;
            Some(auth.issue_for(DEMO_USER, Role::User, DEMO_TOKEN_TTL_MS)?)
        } else {
            None
        };
        let app =
            App::new(mall.clone(), auth.clone(), limits).with_mirror(mirror).with_backup(copies);
        let app = app.log_requests(config.log_requests).with_spans(spans);
        let app = Arc::new(app.with_webhooks(config.webhooks()?)?);
        let receivers = Receivers::open(config.reports_dir.as_deref(), app.webhooks())?;
        let _deliveries = Deliveries::start(mall, receivers)?;
        runtime.block_on(async {
            let Began { early, notify, replaying } = began;
            let places = early.places.clone();
            let listeners = early.end().await?;
            // Before the address is known to anybody: a signal from then on is meant for a running
            // server.
            way_out.enter(Stage::Serving);
            if let Some(keys_at) = keys_at {
                // Once before anybody asks. Whoever publishes them may be down: others are served.
                let is_fetched = tokio::select! {
                    is_fetched = keys_at.fetch(&auth) => is_fetched,
                    () = way_out.asked(1) => false,
                };
                tokio::spawn(keys_at.follow(auth.clone(), is_fetched));
            }
            if let Some(keys) = keys {
                tokio::spawn(keys.follow(auth));
            }
            replaying.abort();
            notify.ready(places.iter().map(|(_, place)| place));
            tokio::spawn(notify.clone().watched());
            // In the way of the end, and not beside it: a task might not run any more.
            let stopping = async {
                way_out.asked(1).await;
                notify.stopping();
            };
            greeting::announce(&places, hint.as_deref())?;
            tokio::select! {
                () = http::run(listeners, stopping, app) => {}
                () = way_out.asked(2) => {}
            }
            Ok(())
        })
    }
}
