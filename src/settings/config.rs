//! What the settings set.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::log::LogConfig;
use crate::backup::Plan;
use crate::base::error::{Error, Result};
use crate::engine::{Engine, EngineBuilder};
use crate::http::{Auth, Limits, Place, Proxies, RequestLog, WebhookSettings};
use crate::mall::{BreakerConfig, MallConfig};
use crate::points::ServiceConfig;
use crate::sink::{Backlog, BacklogPolicy, Database, MirrorConfig};

/// What a server runs with, and what other commands look up of it.
pub(crate) struct Config {
    /// Where everybody is listened to.
    pub(crate) listen: Vec<Place>,
    /// Where operators are, if not there.
    pub(crate) operators_listen: Vec<Place>,
    /// Of Unix sockets.
    pub(crate) socket_mode: u32,
    pub(crate) tls: TlsFiles,
    /// Whose word is taken about the address of a client.
    pub(crate) proxies: Proxies,
    pub(crate) data_dir: PathBuf,
    pub(crate) auth_secret: Option<SecretString>,
    /// The file with the keys that tokens may name.
    pub(crate) auth_keys: Option<PathBuf>,
    /// Where more of them are published.
    pub(super) auth_keys_url: KeysUrl,
    /// Who must have made tokens, and for whom.
    pub(super) auth_issuer: Option<String>,
    pub(super) auth_audience: Option<String>,
    pub(crate) token_leeway: Duration,
    pub(crate) log: LogConfig,
    /// Which requests the log tells of.
    pub(crate) log_requests: RequestLog,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) limits: Limits,
    /// `None` for half of all connections.
    pub(crate) connections_per_address: Option<usize>,
    pub(crate) mall: MallConfig,
    /// Where reports are delivered; `None` is nowhere.
    pub(crate) reports_dir: Option<PathBuf>,
    pub(super) traces: TracesSettings,
    pub(super) backup: BackupSettings,
    pub(super) points: PointsSettings,
    pub(super) mirror: MirrorSettings,
    pub(super) webhooks: WebhooksSet,
    engine: Vec<EngineStep>,
}

/// Sets something of an engine.
type EngineStep = Box<dyn FnOnce(EngineBuilder) -> EngineBuilder>;

/// What is set about traces, whether there are any or not.
#[derive(Default)]
pub(super) struct TracesSettings {
    pub(super) endpoint: Option<String>,
    pub(super) headers_file: Option<PathBuf>,
    pub(super) sample: f64,
}

/// Where traces are told.
#[cfg_attr(not(feature = "otel"), allow(dead_code, reason = "nobody tells any"))]
pub(crate) struct TracesConfig {
    /// The URL of the collector.
    pub(crate) endpoint: String,
    /// A file of headers that it wants.
    pub(crate) headers_file: Option<PathBuf>,
    /// Which part of the requests is traced that are in no trace yet.
    pub(crate) sample: f64,
}

/// The files of TLS, as far as they are set.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) operators_ca: Option<PathBuf>,
}

/// What is set about backups, whether there are any or not.
#[derive(Default)]
pub(super) struct BackupSettings {
    pub(super) to: Option<String>,
    pub(super) every: Duration,
    pub(super) key_file: Option<PathBuf>,
    pub(super) keep: Option<Duration>,
    pub(super) snapshot_every: Duration,
}

/// Backups that a server makes by itself.
pub(crate) struct BackupConfig {
    /// A directory, or `s3://BUCKET/PREFIX`.
    pub(crate) to: String,
    pub(crate) every: Duration,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) plan: Plan,
}

/// What is set about a service that keeps the points, whether there is one or not.
pub(super) struct PointsSettings {
    pub(super) url: Option<String>,
    pub(super) secret: Option<SecretString>,
    pub(super) secret_file: Option<PathBuf>,
    pub(super) timeout: Duration,
    pub(super) patience: Duration,
    pub(super) queue: usize,
    pub(super) breaker: BreakerConfig,
}

/// How a service is met that keeps the points.
pub(crate) struct PointsConfig {
    pub(crate) service: ServiceConfig,
    pub(crate) patience: Duration,
    pub(crate) queue: usize,
    pub(crate) breaker: BreakerConfig,
}

/// What is set about a mirror, whether there is one or not.
pub(super) struct MirrorSettings {
    pub(super) url: Option<SecretString>,
    pub(super) ca: Option<PathBuf>,
    pub(super) prefix: Option<String>,
    pub(super) migrate: bool,
    pub(super) backlog: Backlog,
}

/// What is set about webhooks; the certificates are read when they are needed.
#[derive(Default)]
pub(super) struct WebhooksSet {
    pub(super) settings: WebhookSettings,
    pub(super) ca: Option<PathBuf>,
}

/// Where keys of tokens are published, whether they are or not.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeysUrl {
    /// Empty for nowhere.
    pub(crate) url: String,
    /// The host that they may come from without TLS.
    pub(crate) http_host: Option<String>,
    pub(crate) every: Duration,
    /// How long at least between two looks.
    pub(crate) pause: Duration,
}

impl Config {
    /// With the issuer and the audience that tokens are to have.
    pub(crate) fn expecting(&self, auth: Auth) -> Auth {
        let auth = match &self.auth_issuer {
            Some(issuer) => auth.issuer(issuer),
            None => auth,
        };
        match &self.auth_audience {
            Some(audience) => auth.audience(audience),
            None => auth,
        }
    }

    /// Where keys of tokens are published, if they are.
    pub(crate) fn keys_url(&self) -> Option<&KeysUrl> {
        Some(&self.auth_keys_url).filter(|set| !set.url.is_empty())
    }

    /// Before anything is set. Each row of the table that has a default puts its own here.
    pub(super) fn unset() -> Self {
        let backlog = Backlog { bytes_max: u64::MAX, policy: BacklogPolicy::Keep };
        Self {
            listen: Vec::new(),
            operators_listen: Vec::new(),
            socket_mode: 0,
            tls: TlsFiles::default(),
            proxies: Proxies::default(),
            data_dir: PathBuf::new(),
            auth_secret: None,
            auth_keys: None,
            auth_keys_url: KeysUrl::default(),
            auth_issuer: None,
            auth_audience: None,
            token_leeway: Duration::ZERO,
            log: LogConfig::unset(),
            log_requests: RequestLog::default(),
            shutdown_timeout: Duration::ZERO,
            limits: Limits::default(),
            connections_per_address: None,
            mall: MallConfig::default(),
            reports_dir: None,
            traces: TracesSettings::default(),
            backup: BackupSettings::default(),
            points: PointsSettings {
                url: None,
                secret: None,
                secret_file: None,
                timeout: Duration::ZERO,
                patience: Duration::ZERO,
                queue: 0,
                breaker: BreakerConfig::default(),
            },
            mirror: MirrorSettings { url: None, ca: None, prefix: None, migrate: true, backlog },
            webhooks: WebhooksSet::default(),
            engine: Vec::new(),
        }
    }

    /// Gives `value` to the engine once it is opened.
    pub(super) fn engine<T: 'static>(
        &mut self,
        set: fn(EngineBuilder, T) -> EngineBuilder,
        value: T,
    ) {
        self.engine.push(Box::new(move |builder| set(builder, value)));
    }

    /// An engine as it is set, not opened yet. What is set is taken out.
    pub(crate) fn take_engine(&mut self) -> EngineBuilder {
        let builder = Engine::builder(&self.data_dir);
        self.engine.drain(..).fold(builder, |builder, step| step(builder))
    }

    /// Where traces are told, if they are.
    ///
    /// # Errors
    /// `Invalid` when headers are set and no collector, or this program tells no traces.
    pub(crate) fn traces(&self) -> Result<Option<TracesConfig>> {
        let TracesSettings { endpoint, headers_file, sample } = &self.traces;
        match endpoint.clone() {
            Some(_) if !cfg!(feature = "otel") => Err(Error::invalid(
                "otlp_endpoint is set, but this program was built without the feature `otel`",
            )),
            Some(endpoint) => {
                let (headers_file, sample) = (headers_file.clone(), *sample);
                Ok(Some(TracesConfig { endpoint, headers_file, sample }))
            }
            None if headers_file.is_some() => {
                Err(Error::invalid("otlp_headers_file is set, but there is no otlp_endpoint"))
            }
            None => Ok(None),
        }
    }

    /// The backups that the server makes by itself, if it does.
    pub(crate) fn backup(&self) -> Option<BackupConfig> {
        let BackupSettings { to, every, key_file, keep, snapshot_every } = &self.backup;
        let plan = Plan { snapshot_every: *snapshot_every, keep: *keep };
        let (every, key_file) = (*every, key_file.clone());
        to.clone().map(|to| BackupConfig { to, every, key_file, plan })
    }

    /// The service that keeps the points, where the ledger does not.
    ///
    /// # Errors
    /// `Unavailable` when the file with its secret cannot be read, `Invalid` when it is empty.
    pub(crate) fn points(&self) -> Result<Option<PointsConfig>> {
        let PointsSettings { url, secret, secret_file, timeout, patience, queue, breaker } =
            &self.points;
        let Some(url) = url.clone() else {
            return Ok(None);
        };
        let secret = match secret_file {
            Some(path) => Some(super::secret::of_file(path)?),
            None => secret.clone(),
        };
        let service = ServiceConfig { url, secret, timeout: *timeout };
        let (patience, queue, breaker) = (*patience, *queue, *breaker);
        Ok(Some(PointsConfig { service, patience, queue, breaker }))
    }

    /// The mirror, where there is to be one.
    pub(crate) fn mirror(&self) -> Option<MirrorConfig> {
        let MirrorSettings { url, ca, prefix, migrate, backlog } = &self.mirror;
        let database = Database { url: url.clone()?, ca: ca.clone(), prefix: prefix.clone() };
        Some(MirrorConfig { database, migrate: *migrate, backlog: *backlog })
    }
    /// How webhooks are sent.
    ///
    /// # Errors
    /// `Unavailable` when the file of certificates cannot be read.
    #[allow(clippy::disallowed_methods, reason = "an operator's file, not the engine's")]
    pub(crate) fn webhooks(&self) -> Result<WebhookSettings> {
        let WebhooksSet { settings, ca } = &self.webhooks;
        let read = |path: &PathBuf| {
            let failed = |cause| Error::io(format!("the certificates {}", path.display()), cause);
            std::fs::read(path).map_err(failed)
        };
        let ca_pem = ca.as_ref().map(read).transpose()?;
        Ok(WebhookSettings { ca_pem, ..settings.clone() })
    }
}
