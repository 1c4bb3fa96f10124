//! `stockhold serve`: the server.

mod background;
mod backups;
mod certificate;
mod check;
mod doors;
mod early;
mod followed;
mod greeting;
mod handover;
pub(super) mod keys;
mod keys_url;
mod reports;

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use self::backups::Backups;
use self::certificate::Certificate;
use self::doors::{Doors, Sockets};
use self::early::Early;
use self::greeting::Hint;
use self::handover::{Predecessor, Succession, Taken, give};
use self::keys::KeysFile;
use self::keys_url::KeysAt;
use self::reports::{Deliveries, Receivers};
use crate::backup::BackupView;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::spans::SpanCounts;
use crate::engine::{Engine, EngineBuilder};
use crate::http::{self, App, Auth, Ending, Limits, Role, SettingShown, Tls};
use crate::mall::elsewhere::PointsElsewhere;
use crate::mall::{DEMO_USER, Mall};
use crate::points;
use crate::process::activation;
use crate::process::handover::Channel;
use crate::process::notify::Notify;
use crate::process::stop::{Stage, WayOut};
use crate::process::traces::Traces;
use crate::process::{self, descriptors, logs, runtime};
use crate::settings::{Config, Flags, OfServer, PointsConfig, secret};
use crate::sink::{self, Mirror, MirrorConfig, MirrorView};
use crate::trials::soak;

/// A mirror that is behind keeps segments open, of this size or larger.
const SEGMENT_BYTES: u64 = 64 << 20;
const DEMO_TOKEN_TTL_MS: u64 = 24 * 3_600_000;
/// How long what still runs beside the server is waited for at the end.
const RUNTIME_LIMIT: Duration = Duration::from_secs(1);
/// How long a directory may be held by a process that is gone, and how often to look.
const AGAIN_LIMIT: Duration = Duration::from_secs(30);
const AGAIN_EVERY: Duration = Duration::from_millis(1);

#[derive(Args)]
pub(super) struct ServeArgs {
    /// Load the demo catalogue, and make a secret if none is set
    #[arg(long)]
    demo: bool,
    /// Look at all settings as a start would, show what is in force and all that is wrong, and end
    #[arg(long)]
    check_config: bool,
    /// Take over from the server that runs on the same data directory: it ends, and no client is
    /// refused
    #[arg(long, conflicts_with_all = ["check_config", "soaked"])]
    take_over: bool,
    /// Serve in a process of its own, and end once that serves, or with 1 when it does not
    #[arg(long, conflicts_with_all = ["check_config", "soaked"])]
    background: bool,
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
    if args.background {
        return background::serve();
    }
    let mut config = args.settings.settings()?;
    let shown = args.settings.look().in_force;
    // Before there is any other thread.
    let inherited = activation::inherited()?;
    let traces = config.traces()?.map(|traces| Traces::new(&traces, &config.log.service));
    let traces = traces.transpose()?;
    logs::start(&config.log, config.auth_secret.as_ref(), traces.as_ref())?;
    let way_out = WayOut::listen(config.shutdown_timeout)?;
    // Before anything is made. Sockets that were inherited may leave fewer.
    limits(&config, !config.operators_listen.is_empty(), config.mirror().as_ref())?;
    let leeway_ms = config.token_leeway.as_millis() as u64;
    let auth = config.expecting(auth(&config, args.demo)?);
    let auth = Arc::new(auth.leeway_ms(leeway_ms));
    let keys = config.auth_keys.as_deref().map(|path| KeysFile::load(path, &auth)).transpose()?;
    let engine = config.take_engine();
    let notify = Notify::of_environment();
    // Of what outlives an opening.
    let runtime = runtime()?;
    let spans = traces.as_ref().map(Traces::counts);
    let telling = traces.map(|traces| traces.start(&runtime));
    let certificate = Certificate::load(&config)?;
    let tls = certificate.as_ref().map(Certificate::tls);
    if let Some(certificate) = certificate {
        runtime.spawn(certificate.follow());
    }
    let (doors, mut start, notify) = if args.take_over {
        // What can be wrong is looked at before anything happens to the one that runs.
        config.points()?;
        config.webhooks()?;
        let predecessor = Predecessor::meet(&config)?;
        let notify = notify.watched_as(predecessor.watchdog);
        (predecessor.doors.clone(), Start::After(predecessor), notify)
    } else {
        let doors =
            Arc::new(Doors::open(&runtime, Sockets::new(&config, inherited), tls.as_ref())?);
        (doors, Start::Alone, notify)
    };
    let limits = limits(&config, doors.are_apart(), config.mirror().as_ref())?;
    let house = House {
        demo: args.demo,
        soaked: args.soaked,
        config,
        shown,
        limits,
        auth,
        keys,
        engine,
        doors,
        notify,
        way_out,
        spans,
        tls,
    };
    let ended = loop {
        match process::runtime().and_then(|runtime| house.open(runtime, start)) {
            Ok(Ended::Stopped | Ended::HandedOver) => break Ok(()),
            Ok(Ended::GivenBack(backup)) => start = Start::Again(backup),
            Err(error) => break Err(error),
        }
    };
    if let Some(telling) = telling {
        runtime.block_on(telling.stop());
    }
    runtime.shutdown_timeout(RUNTIME_LIMIT);
    ended
}

/// How the server comes to its data directory.
enum Start {
    Alone,
    /// From a server that runs.
    After(Predecessor),
    /// It was about to give it away, to one that is gone. The backup from before may still run.
    Again(Option<thread::JoinHandle<()>>),
}

/// How it ended.
enum Ended {
    Stopped,
    /// Another server goes on.
    HandedOver,
    /// Another server was about to go on, and is gone. The backup may still run.
    GivenBack(Option<thread::JoinHandle<()>>),
}

/// What is the same from one opening of the directory to the next.
struct House {
    demo: bool,
    soaked: bool,
    config: Config,
    /// The settings, for administrators to look at.
    shown: Vec<SettingShown>,
    limits: Limits,
    auth: Arc<Auth>,
    keys: Option<KeysFile>,
    engine: EngineBuilder,
    doors: Arc<Doors>,
    notify: Notify,
    way_out: WayOut,
    spans: Option<Arc<SpanCounts>>,
    tls: Option<Tls>,
}

impl House {
    /// Opens the directory, and serves until somebody asks to stop or takes over.
    fn open(&self, runtime: Runtime, start: Start) -> Result<Ended> {
        let Self { config, way_out, .. } = self;
        let keys_at = config.keys_url().map(KeysAt::new).transpose()?;
        let mut began =
            Began { early: None, opening: None, taken: None, backup: None, keys_at: None };
        let engine = match start {
            Start::Alone => {
                began.early =
                    Some(Early::answer(&runtime, &self.doors, self.tls.as_ref(), &config.proxies)?);
                began.opening = Some(runtime.spawn(self.notify.clone().starting()));
                let engine = self.engine.clone();
                // It waits until it is told what time it is.
                let engine = if self.soaked { soak::soaked(engine)? } else { engine };
                engine.open()?
            }
            Start::Again(backup) => {
                way_out.enter(Stage::Opening);
                // It was ready long ago: systemd waits for signs of life.
                began.opening = Some(runtime.spawn(self.notify.clone().watched()));
                began.backup = backup;
                self.open_again()?
            }
            Start::After(predecessor) => {
                if let Some(keys_at) = keys_at {
                    // Before anybody waits.
                    let is_fetched = runtime.block_on(keys_at.fetch(&self.auth));
                    began.keys_at = Some((keys_at, is_fetched));
                }
                let taken = predecessor.take_over(self.engine.clone())?;
                let engine = taken.engine.clone();
                began.taken = Some(taken);
                return self.go_on(runtime, engine, None, began);
            }
        };
        self.go_on(runtime, engine, keys_at, began)
    }

    /// Opens what another process may be about to let go of, since it is gone.
    fn open_again(&self) -> Result<Engine> {
        let until = Instant::now() + AGAIN_LIMIT;
        loop {
            match self.engine.clone().open() {
                Err(error) if error.kind() == ErrorKind::AlreadyOpen && Instant::now() < until => {
                    thread::sleep(AGAIN_EVERY);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyOpen => {
                    // Whoever has it serves at the same places.
                    self.doors.leave();
                    return Err(error);
                }
                opened => return opened,
            }
        }
    }

    fn go_on(
        &self,
        runtime: Runtime,
        engine: Engine,
        keys_at: Option<KeysAt>,
        mut began: Began,
    ) -> Result<Ended> {
        let (config, way_out) = (&self.config, &self.way_out);
        let before = began.taken.as_mut().and_then(|taken| taken.all_closed.take());
        let backup_before = began.backup.take();
        let backup = config.backup().map(|backup| {
            // Two that copy at once would do everything twice.
            let may_begin = move || {
                if let Some(before) = before {
                    // Its sender is dropped.
                    let _ = before.recv();
                }
                if let Some(before) = backup_before {
                    // It panicked, which is told already.
                    let _ = before.join();
                }
            };
            Backups::start(engine.clone(), &config.data_dir, backup, may_begin)
        });
        let backup = match backup.transpose() {
            Ok(backup) => backup,
            Err(error) => return engine.close().and(Err(error)),
        };
        let copies = backup.as_ref().map(Backups::view);
        let (served, mirror) = match start_mirror(&engine, config.mirror()) {
            Ok(mirror) => {
                let server = Server { house: self, keys_at, copies, engine: engine.clone() };
                let view = mirror.as_ref().map(Mirror::view);
                (server.run(view, &runtime, began), mirror)
            }
            Err(error) => (Err(error), None),
        };
        if let Ok(Some(successor)) = served {
            way_out.enter(Stage::HandedOver);
            let given = give(&engine, successor);
            // The successor's has fenced it off: what it does is as if it had ended.
            if let Some(mirror) = mirror {
                mirror.stop();
            }
            let backup = backup.map(Backups::leave);
            runtime.shutdown_timeout(RUNTIME_LIMIT);
            if let Ok(false) = given {
                return Ok(Ended::GivenBack(backup));
            }
            // It serves at these places, or may, however closing went here.
            self.doors.leave();
            if let Some(backup) = backup {
                // It panicked, which is told already.
                let _ = backup.join();
            }
            return given.map(|_| Ended::HandedOver);
        }
        // A read of history that hangs is not waited for, and leaves the engine its share of the time.
        runtime.shutdown_timeout(RUNTIME_LIMIT.min(config.shutdown_timeout / 16));
        // Before the engine closes: it follows the journal.
        way_out.enter(Stage::Mirror);
        if let Some(mirror) = mirror {
            mirror.stop();
        }
        // Whatever ended the server, what was acknowledged is checkpointed for a fast start.
        way_out.enter(Stage::Closing);
        let closed = engine.close();
        if let Some(backup) = backup {
            way_out.enter(Stage::Backup);
            backup.stop();
        }
        served.and(closed).map(|()| Ended::Stopped)
    }
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

/// What the demo's user tries the server with.
fn hint(auth: &Auth) -> Result<Hint> {
    Ok(Hint {
        token: auth.issue_for(DEMO_USER, Role::User, DEMO_TOKEN_TTL_MS)?,
        code: auth.issue_link_for(None, DEMO_USER, Role::User, DEMO_TOKEN_TTL_MS)?,
    })
}

/// The service that keeps the points.
fn points_elsewhere(config: PointsConfig) -> Result<PointsElsewhere> {
    let PointsConfig { service, patience, queue, breaker } = config;
    let service = Arc::new(points::Client::new(&service)?);
    Ok(PointsElsewhere { service, breaker, patience, queue })
}

/// What was begun before the engine was open.
struct Began {
    early: Option<Early>,
    /// Tells systemd of it until it is aborted.
    opening: Option<JoinHandle<()>>,
    /// Where another server had the directory.
    taken: Option<Taken>,
    /// The backup of an opening before, which may still run.
    backup: Option<thread::JoinHandle<()>>,
    /// Where keys are published, and whether they were fetched.
    keys_at: Option<(KeysAt, bool)>,
}

/// What is served, and how.
struct Server<'a> {
    house: &'a House,
    keys_at: Option<KeysAt>,
    copies: Option<BackupView>,
    engine: Engine,
}

impl Server<'_> {
    /// Serves until somebody asks to stop, or is to go on; then who that is.
    fn run(
        self,
        mirror: Option<MirrorView>,
        runtime: &Runtime,
        began: Began,
    ) -> Result<Option<Channel>> {
        let Self { house, keys_at, copies, engine } = self;
        let House { config, limits, auth, doors, notify, way_out, .. } = house;
        let points = config.points()?.map(points_elsewhere).transpose()?;
        let mall = Mall::open_with(engine.clone(), config.mall.clone(), points)?;
        if house.demo {
            mall.load_demo()?;
        }
        let app = App::new(mall.clone(), auth.clone(), limits.clone());
        // No link is older than what it is for.
        let hint = house.demo.then(|| hint(auth)).transpose()?;
        let app = app.with_mirror(mirror).with_backup(copies).log_requests(config.log_requests);
        let app = app.with_spans(house.spans.clone()).with_settings(house.shown.clone());
        let app = app.behind(config.proxies.clone()).with_tls(house.tls.clone());
        let app = Arc::new(app.with_webhooks(config.webhooks()?)?);
        let receivers = Receivers::open(config.reports_dir.as_deref(), app.webhooks())?;
        let _deliveries = Deliveries::start(mall, receivers)?;
        runtime.block_on(async {
            let Began { early, opening, taken, keys_at: fetched, .. } = began;
            let places = doors.places();
            let listeners = match early {
                Some(early) => early.end().await?,
                None => doors
                    .listeners(house.tls.as_ref())?
                    .into_iter()
                    .map(|(listener, _)| listener)
                    .collect(),
            };
            // Before the address is known to anybody: a signal from then on is meant for a running
            // server.
            way_out.enter(Stage::Serving);
            let fetched = match (fetched, keys_at) {
                (None, Some(keys_at)) => {
                    // Once before anybody asks. Whoever publishes them may be down: others are served.
                    let is_fetched = tokio::select! {
                        is_fetched = keys_at.fetch(auth) => is_fetched,
                        () = way_out.asked(1) => false,
                    };
                    Some((keys_at, is_fetched))
                }
                (fetched, _) => fetched,
            };
            if let Some((keys_at, is_fetched)) = fetched {
                tokio::spawn(keys_at.follow(auth.clone(), is_fetched));
            }
            if let Some(keys) = house.keys.clone() {
                tokio::spawn(keys.follow(auth.clone()));
            }
            if let Some(opening) = opening {
                opening.abort();
            }
            let watchdog = notify.watchdog();
            let succession = Succession::listen(&config.data_dir, engine, doors.clone(), watchdog);
            if let Err(error) = &succession {
                tracing::warn!(%error, "no other server can take over from this one");
            }
            if let Some(taken) = taken {
                doors.own();
                taken.serving();
                notify.ready_instead(places.iter().map(|(_, place)| place));
                // Clients wait: whoever reads this does so later.
                tokio::task::spawn_blocking(move || greeting::announce(&places, hint.as_ref()));
            } else {
                notify.ready(places.iter().map(|(_, place)| place));
                greeting::announce(&places, hint.as_ref())?;
            }
            tokio::spawn(notify.clone().watched());
            let successor = OnceLock::new();
            // In the way of the end, and not beside it: a task might not run any more.
            let ending = async {
                tokio::select! {
                    () = way_out.asked(1) => {}
                    met = successor_of(succession.as_ref().ok()) => {
                        // It is the only one.
                        let _ = successor.set(met);
                        return Ending::HandOver;
                    }
                }
                notify.stopping();
                doors.close();
                Ending::Stop
            };
            tokio::select! {
                _ = http::run_until(listeners, ending, app) => {}
                () = way_out.asked(2) => {}
            }
            Ok(successor.into_inner())
        })
    }
}

/// Resolves with a successor, if there can be any.
async fn successor_of(succession: Option<&Succession>) -> Channel {
    match succession {
        Some(succession) => succession.successor().await,
        None => std::future::pending().await,
    }
}
