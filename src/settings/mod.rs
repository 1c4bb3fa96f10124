//! The server's settings: a flag goes before the environment, that before the file, that before the
//! default.

pub(crate) mod duration;
mod log_format;
pub(crate) mod secret;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use self::log_format::LogFormat;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::base::TTL_MS_MAX;
use crate::base::error::{Error, Result};
use crate::http::SECRET_BYTES_MIN;
use crate::sink::{self, Backlog, BacklogPolicy, Database, MirrorConfig};

pub(super) const LISTEN: &str = "127.0.0.1:3000";
pub(super) const DATA_DIR: &str = "./data";
const RESERVATION_TTL: &str = "15m";
const TOKEN_LEEWAY: &str = "5s";
/// More would keep a token alive that somebody meant to end.
const TOKEN_LEEWAY_MS_MAX: u64 = 5 * 60 * 1000;
const CLOCK_TRUST_AFTER: &str = "15m";
const IDEMPOTENCY_WINDOW: &str = "24h";
const IDEMPOTENCY_KEYS: u64 = 4 << 20;
const IDEMPOTENCY_KEYS_MAX: u64 = 1 << 30;
const KEYS_PER_USER: u64 = 10_000;
const SYNC_TIMEOUT: &str = "5s";
const SHUTDOWN_TIMEOUT: &str = "60s";
const LOW_SPACE_MARK: u64 = 256 << 20;
const HISTORY_BYTES: u64 = 64 << 30;
const USER_REQUESTS: u64 = 1_200;
const USER_BYTES: u64 = 1 << 20;
const BYTES_MAX: u64 = 1 << 50;
const CONNECTIONS: u64 = 10_000;
const CONNECTIONS_MAX: u64 = 1_000_000;
const IDLE_TIMEOUT: &str = "75s";
const HEAD_TIMEOUT: &str = "30s";
/// Bounds of every timeout.
const TIMEOUT_MS_MIN: u64 = 10;
const TIMEOUT_MS_MAX: u64 = 86_400_000;
/// 256 MiB, and 32 MiB: more than three of the largest answers.
const ANSWER_MEMORY: u64 = 256 << 20;
const ANSWER_MEMORY_PER_USER: u64 = 32 << 20;
const ANSWER_MEMORY_MAX: u64 = 1 << 50;
const OUTSTANDING_MAX_MAX: u64 = 1_000_000;
/// 16 GiB, some 150 million events.
const MIRROR_BACKLOG: u64 = 16 << 30;
const MIRROR_BACKLOG_MAX: u64 = 1 << 50;

/// Settings from one place, each as it was written. The same names are flags, keys of the file,
/// and, in capitals after `STOCKHOLD_`, variables of the environment.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Partial {
    pub(super) listen: Option<String>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) reservation_ttl: Option<String>,
    pub(super) clock_trust_after: Option<String>,
    pub(super) auth_secret: Option<SecretString>,
    pub(super) token_leeway: Option<String>,
    pub(super) log_format: Option<String>,
    pub(super) max_connections: Option<Number>,
    pub(super) max_connections_per_address: Option<Number>,
    pub(super) idle_timeout: Option<String>,
    pub(super) head_timeout: Option<String>,
    pub(super) answer_memory: Option<Number>,
    pub(super) answer_memory_per_user: Option<Number>,
    pub(super) max_outstanding: Option<Number>,
    pub(super) idempotency_window: Option<String>,
    pub(super) max_idempotency_keys: Option<Number>,
    pub(super) max_idempotency_keys_per_user: Option<Number>,
    pub(super) sync_timeout: Option<String>,
    pub(super) shutdown_timeout: Option<String>,
    pub(super) low_space_mark: Option<Number>,
    pub(super) history_bytes_max: Option<Number>,
    pub(super) user_requests_per_minute: Option<Number>,
    pub(super) user_bytes_per_minute: Option<Number>,
    pub(super) mirror_url: Option<SecretString>,
    pub(super) mirror_ca: Option<PathBuf>,
    pub(super) mirror_prefix: Option<String>,
    pub(super) mirror_migrate: Option<Flag>,
    pub(super) mirror_backlog_max: Option<Number>,
    pub(super) mirror_backlog_policy: Option<String>,
}

/// A number as the file or the environment has it.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a number")]
pub(super) enum Number {
    Number(i64),
    Text(String),
}

/// A yes or no as the file or the environment has it.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected true or false")]
pub(super) enum Flag {
    Flag(bool),
    Text(String),
}

/// The settings a server runs with.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) listen: SocketAddr,
    pub(super) data_dir: PathBuf,
    pub(super) reservation_ttl_ms: u64,
    pub(super) clock_trust_after_ms: u64,
    pub(super) auth_secret: Option<SecretString>,
    pub(super) token_leeway_ms: u64,
    pub(super) log_format: LogFormat,
    pub(super) connections_max: usize,
    pub(super) connections_per_address_max: usize,
    pub(super) idle_timeout: Duration,
    pub(super) head_timeout: Duration,
    pub(super) answer_bytes_max: usize,
    pub(super) answer_bytes_per_user_max: usize,
    pub(super) outstanding_max: Option<u64>,
    pub(super) keys: Keys,
    pub(super) sync_timeout: Duration,
    pub(super) shutdown_timeout: Duration,
    pub(super) low_space_mark: u64,
    pub(super) history_bytes_max: u64,
    pub(super) user_requests_per_minute: u64,
    pub(super) user_bytes_per_minute: u64,
    /// `None` without a mirror.
    pub(super) mirror: Option<MirrorConfig>,
}

/// The window of answers to keyed requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys {
    pub(super) window_ms: u64,
    pub(super) count_max: usize,
    pub(super) per_user_max: usize,
}

impl Partial {
    /// What the environment sets. `variable` looks a name up; an empty value counts as not set.
    pub(super) fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let get =
            |name: &str| variable(&format!("STOCKHOLD_{name}")).filter(|value| !value.is_empty());
        Self {
            listen: get("LISTEN"),
            data_dir: get("DATA_DIR").map(Into::into),
            reservation_ttl: get("RESERVATION_TTL"),
            clock_trust_after: get("CLOCK_TRUST_AFTER"),
            auth_secret: get("AUTH_SECRET").map(Into::into),
            token_leeway: get("TOKEN_LEEWAY"),
            log_format: get("LOG_FORMAT"),
            max_connections: get("MAX_CONNECTIONS").map(Number::Text),
            max_connections_per_address: get("MAX_CONNECTIONS_PER_ADDRESS").map(Number::Text),
            idle_timeout: get("IDLE_TIMEOUT"),
            head_timeout: get("HEAD_TIMEOUT"),
            answer_memory: get("ANSWER_MEMORY").map(Number::Text),
            answer_memory_per_user: get("ANSWER_MEMORY_PER_USER").map(Number::Text),
            max_outstanding: get("MAX_OUTSTANDING").map(Number::Text),
            idempotency_window: get("IDEMPOTENCY_WINDOW"),
            max_idempotency_keys: get("MAX_IDEMPOTENCY_KEYS").map(Number::Text),
            max_idempotency_keys_per_user: get("MAX_IDEMPOTENCY_KEYS_PER_USER").map(Number::Text),
            sync_timeout: get("SYNC_TIMEOUT"),
            shutdown_timeout: get("SHUTDOWN_TIMEOUT"),
            low_space_mark: get("LOW_SPACE_MARK").map(Number::Text),
            history_bytes_max: get("HISTORY_BYTES_MAX").map(Number::Text),
            user_requests_per_minute: get("USER_REQUESTS_PER_MINUTE").map(Number::Text),
            user_bytes_per_minute: get("USER_BYTES_PER_MINUTE").map(Number::Text),
            mirror_url: get("MIRROR_URL").map(Into::into),
            mirror_ca: get("MIRROR_CA").map(Into::into),
            mirror_prefix: get("MIRROR_PREFIX"),
            mirror_migrate: get("MIRROR_MIGRATE").map(Flag::Text),
            mirror_backlog_max: get("MIRROR_BACKLOG_MAX").map(Number::Text),
            mirror_backlog_policy: get("MIRROR_BACKLOG_POLICY"),
        }
    }

    /// What a TOML file sets.
    pub(super) fn of_toml(text: &str) -> Result<Self> {
        // The message of the parser quotes the line, which may hold the secret: only what is wrong
        // is passed on.
        let wrong = |what: &str| Error::invalid(format!("the configuration file: {what}"));
        let file = toml::Deserializer::parse(text).map_err(|cause| wrong(cause.message()))?;
        serde_path_to_error::deserialize(file)
            .map_err(|cause| wrong(&format!("{}: {}", cause.path(), cause.inner().message())))
    }

    /// What the file at `path` sets, or nothing without a path.
    #[allow(clippy::disallowed_methods, reason = "an operator's file, not the engine's")]
    pub(super) fn of_file(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let text = std::fs::read_to_string(path).map_err(|cause| {
            Error::io(format!("the configuration file {}", path.display()), cause)
        })?;
        Self::of_toml(&text)
    }

    /// These settings, and `lower`'s where these say nothing.
    pub(super) fn over(self, lower: Self) -> Self {
        Self {
            listen: self.listen.or(lower.listen),
            data_dir: self.data_dir.or(lower.data_dir),
            reservation_ttl: self.reservation_ttl.or(lower.reservation_ttl),
            clock_trust_after: self.clock_trust_after.or(lower.clock_trust_after),
            auth_secret: self.auth_secret.or(lower.auth_secret),
            token_leeway: self.token_leeway.or(lower.token_leeway),
            log_format: self.log_format.or(lower.log_format),
            max_connections: self.max_connections.or(lower.max_connections),
            max_connections_per_address: self
                .max_connections_per_address
                .or(lower.max_connections_per_address),
            idle_timeout: self.idle_timeout.or(lower.idle_timeout),
            head_timeout: self.head_timeout.or(lower.head_timeout),
            answer_memory: self.answer_memory.or(lower.answer_memory),
            answer_memory_per_user: self.answer_memory_per_user.or(lower.answer_memory_per_user),
            max_outstanding: self.max_outstanding.or(lower.max_outstanding),
            idempotency_window: self.idempotency_window.or(lower.idempotency_window),
            max_idempotency_keys: self.max_idempotency_keys.or(lower.max_idempotency_keys),
            max_idempotency_keys_per_user: self
                .max_idempotency_keys_per_user
                .or(lower.max_idempotency_keys_per_user),
            sync_timeout: self.sync_timeout.or(lower.sync_timeout),
            shutdown_timeout: self.shutdown_timeout.or(lower.shutdown_timeout),
            low_space_mark: self.low_space_mark.or(lower.low_space_mark),
            history_bytes_max: self.history_bytes_max.or(lower.history_bytes_max),
            user_requests_per_minute: self
                .user_requests_per_minute
                .or(lower.user_requests_per_minute),
            user_bytes_per_minute: self.user_bytes_per_minute.or(lower.user_bytes_per_minute),
            mirror_url: self.mirror_url.or(lower.mirror_url),
            mirror_ca: self.mirror_ca.or(lower.mirror_ca),
            mirror_prefix: self.mirror_prefix.or(lower.mirror_prefix),
            mirror_migrate: self.mirror_migrate.or(lower.mirror_migrate),
            mirror_backlog_max: self.mirror_backlog_max.or(lower.mirror_backlog_max),
            mirror_backlog_policy: self.mirror_backlog_policy.or(lower.mirror_backlog_policy),
        }
    }

    /// The checked settings, with defaults where nobody said anything.
    pub(super) fn check(self) -> Result<Settings> {
        // Checked also without a mirror: a setting that is wrong is told of before it matters.
        let migrate = flag("mirror_migrate", self.mirror_migrate)?.unwrap_or(true);
        let bytes_max = number("mirror_backlog_max", self.mirror_backlog_max, MIRROR_BACKLOG_MAX)?;
        let backlog = Backlog {
            bytes_max: bytes_max.unwrap_or(MIRROR_BACKLOG),
            policy: backlog_policy(self.mirror_backlog_policy.as_deref().unwrap_or("drop"))?,
        };
        let connections = number("max_connections", self.max_connections, CONNECTIONS_MAX)?;
        let connections_max = connections.unwrap_or(CONNECTIONS);
        let per_address = number(
            "max_connections_per_address",
            self.max_connections_per_address,
            CONNECTIONS_MAX,
        )?;
        let answer_memory = number("answer_memory", self.answer_memory, ANSWER_MEMORY_MAX)?;
        let answer_memory_per_user =
            number("answer_memory_per_user", self.answer_memory_per_user, ANSWER_MEMORY_MAX)?;
        let database = self.mirror_url.map(|url| Database {
            url,
            ca: self.mirror_ca,
            prefix: self.mirror_prefix,
        });
        database.as_ref().map_or(Ok(()), sink::check_database)?;
        let count =
            number("max_idempotency_keys", self.max_idempotency_keys, IDEMPOTENCY_KEYS_MAX)?;
        let of_user = self.max_idempotency_keys_per_user;
        let per_user = number("max_idempotency_keys_per_user", of_user, IDEMPOTENCY_KEYS_MAX)?;
        let window = self.idempotency_window.as_deref().unwrap_or(IDEMPOTENCY_WINDOW);
        let keys = Keys {
            window_ms: up_to_a_year("idempotency_window", window)?,
            count_max: count.unwrap_or(IDEMPOTENCY_KEYS) as usize,
            per_user_max: per_user.unwrap_or(KEYS_PER_USER) as usize,
        };
        Ok(Settings {
            keys,
            listen: listen(self.listen.as_deref().unwrap_or(LISTEN))?,
            data_dir: self.data_dir.unwrap_or_else(|| DATA_DIR.into()),
            reservation_ttl_ms: up_to_a_year(
                "reservation_ttl",
                self.reservation_ttl.as_deref().unwrap_or(RESERVATION_TTL),
            )?,
            clock_trust_after_ms: clock_trust_after_ms(
                self.clock_trust_after.as_deref().unwrap_or(CLOCK_TRUST_AFTER),
            )?,
            auth_secret: self.auth_secret.map(secret).transpose()?,
            token_leeway_ms: token_leeway_ms(self.token_leeway.as_deref().unwrap_or(TOKEN_LEEWAY))?,
            log_format: LogFormat::parse(self.log_format.as_deref().unwrap_or("text"))?,
            connections_max: connections_max as usize,
            connections_per_address_max: per_address.unwrap_or(connections_max.div_ceil(2))
                as usize,
            idle_timeout: timeout(
                "idle_timeout",
                self.idle_timeout.as_deref().unwrap_or(IDLE_TIMEOUT),
            )?,
            head_timeout: timeout(
                "head_timeout",
                self.head_timeout.as_deref().unwrap_or(HEAD_TIMEOUT),
            )?,
            answer_bytes_max: answer_memory.unwrap_or(ANSWER_MEMORY) as usize,
            answer_bytes_per_user_max: answer_memory_per_user.unwrap_or(ANSWER_MEMORY_PER_USER)
                as usize,
            outstanding_max: number("max_outstanding", self.max_outstanding, OUTSTANDING_MAX_MAX)?,
            sync_timeout: timeout(
                "sync_timeout",
                self.sync_timeout.as_deref().unwrap_or(SYNC_TIMEOUT),
            )?,
            shutdown_timeout: timeout(
                "shutdown_timeout",
                self.shutdown_timeout.as_deref().unwrap_or(SHUTDOWN_TIMEOUT),
            )?,
            low_space_mark: number("low_space_mark", self.low_space_mark, BYTES_MAX)?
                .unwrap_or(LOW_SPACE_MARK),
            history_bytes_max: number("history_bytes_max", self.history_bytes_max, BYTES_MAX)?
                .unwrap_or(HISTORY_BYTES),
            user_requests_per_minute: number(
                "user_requests_per_minute",
                self.user_requests_per_minute,
                BYTES_MAX,
            )?
            .unwrap_or(USER_REQUESTS),
            user_bytes_per_minute: number(
                "user_bytes_per_minute",
                self.user_bytes_per_minute,
                BYTES_MAX,
            )?
            .unwrap_or(USER_BYTES),
            mirror: database.map(|database| MirrorConfig { database, migrate, backlog }),
        })
    }
}

/// The settings of this process: `flags`, then its environment, then the file.
pub(super) fn settings(flags: Partial, file: Option<&Path>) -> Result<Settings> {
    let environment = Partial::of_environment(|name| std::env::var(name).ok());
    flags.over(environment).over(Partial::of_file(file)?).check()
}

/// A wrong value is never repeated for the secret, and always for the others.
fn secret(secret: SecretString) -> Result<SecretString> {
    if secret.expose_secret().len() < SECRET_BYTES_MIN {
        return Err(Error::invalid(format!(
            "auth_secret must have at least {SECRET_BYTES_MIN} bytes"
        )));
    }
    Ok(secret)
}

fn listen(text: &str) -> Result<SocketAddr> {
    let wrong = |_| {
        Error::invalid(format!(
            "listen is {text:?}: it must be IP:PORT, as in {LISTEN} or [::]:3000"
        ))
    };
    text.parse().map_err(wrong)
}

fn up_to_a_year(name: &str, text: &str) -> Result<u64> {
    let ms =
        duration::parse_ms(text).map_err(|cause| Error::invalid(format!("{name}: {cause}")))?;
    if !(1..=TTL_MS_MAX).contains(&ms) {
        let days = TTL_MS_MAX / 86_400_000;
        return Err(Error::invalid(format!("{name} is {text:?}: it must be from 1ms to {days}d")));
    }
    Ok(ms)
}

fn token_leeway_ms(text: &str) -> Result<u64> {
    let ms = duration::parse_ms(text)
        .map_err(|cause| Error::invalid(format!("token_leeway: {cause}")))?;
    if ms > TOKEN_LEEWAY_MS_MAX {
        return Err(Error::invalid(format!("token_leeway is {text:?}: it must be from 0ms to 5m")));
    }
    Ok(ms)
}

fn timeout(name: &str, text: &str) -> Result<Duration> {
    let ms =
        duration::parse_ms(text).map_err(|cause| Error::invalid(format!("{name}: {cause}")))?;
    if !(TIMEOUT_MS_MIN..=TIMEOUT_MS_MAX).contains(&ms) {
        return Err(Error::invalid(format!(
            "{name} is {text:?}: it must be from {TIMEOUT_MS_MIN}ms to 1d"
        )));
    }
    Ok(Duration::from_millis(ms))
}

fn clock_trust_after_ms(text: &str) -> Result<u64> {
    duration::parse_ms(text).map_err(|cause| Error::invalid(format!("clock_trust_after: {cause}")))
}

fn backlog_policy(text: &str) -> Result<BacklogPolicy> {
    match text {
        "keep" => Ok(BacklogPolicy::Keep),
        "drop" => Ok(BacklogPolicy::Drop),
        _ => Err(Error::invalid(format!(
            "mirror_backlog_policy is {text:?}: it must be one of keep, drop"
        ))),
    }
}

fn flag(name: &str, flag: Option<Flag>) -> Result<Option<bool>> {
    match flag {
        None => Ok(None),
        Some(Flag::Flag(flag)) => Ok(Some(flag)),
        Some(Flag::Text(text)) => match text.as_str() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(Error::invalid(format!("{name} is {text:?}: it must be one of true, false"))),
        },
    }
}

fn number(name: &str, number: Option<Number>, max: u64) -> Result<Option<u64>> {
    let text = match number {
        None => return Ok(None),
        Some(Number::Number(number)) => number.to_string(),
        Some(Number::Text(text)) => text,
    };
    match text.parse() {
        Ok(number) if (1..=max).contains(&number) => Ok(Some(number)),
        _ => {
            Err(Error::invalid(format!("{name} is {text:?}: it must be a number from 1 to {max}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(listen: &str) -> Partial {
        Partial { listen: Some(listen.into()), ..Partial::default() }
    }

    #[test]
    fn a_flag_goes_before_the_environment_before_the_file_before_the_default() {
        let environment = || {
            Partial::of_environment(|name| (name == "STOCKHOLD_LISTEN").then(|| "1.1.1.1:2".into()))
        };
        let file = || Partial::of_toml("listen = \"1.1.1.1:3\"").expect("a valid file");
        let none = Partial::default;
        for (settings, port) in [
            (listening("1.1.1.1:1").over(environment()).over(file()), 1),
            (none().over(environment()).over(file()), 2),
            (none().over(none()).over(file()), 3),
            (none().over(none()).over(none()), 3000),
        ] {
            assert_eq!(settings.check().expect("valid settings").listen.port(), port);
        }
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let settings = Partial::default().check().expect("valid defaults");
        assert_eq!(settings.listen.to_string(), LISTEN);
        assert_eq!(settings.data_dir, Path::new(DATA_DIR));
        assert_eq!(settings.reservation_ttl_ms, 900_000);
        assert!(
            settings.auth_secret.is_none() && settings.outstanding_max.is_none(),
            "no secret and no cap"
        );
    }

    #[test]
    fn the_file_that_is_deployed_says_the_defaults() {
        let file =
            Partial::of_toml(include_str!("../../deploy/stockhold.toml")).expect("a valid file");
        let (file, defaults) =
            (file.check().expect("valid settings"), Partial::default().check().expect("valid"));
        assert_eq!(format!("{file:?}"), format!("{defaults:?}"));
    }

    #[test]
    fn a_wrong_setting_is_named_with_what_is_allowed() {
        let check = |toml: &str, parts: &[&str]| {
            let error =
                Partial::of_toml(toml).and_then(Partial::check).expect_err(toml).to_string();
            for part in parts {
                assert!(error.contains(part), "{error:?} must contain {part:?}");
            }
        };
        check("listen = \"nowhere\"", &["listen", "nowhere", "IP:PORT"]);
        check("reservation_ttl = \"soon\"", &["reservation_ttl", "soon", "ms, s, m, h or d"]);
        check("reservation_ttl = \"400d\"", &["reservation_ttl", "366d"]);
        check("token_leeway = \"1h\"", &["token_leeway", "1h", "5m"]);
        check("clock_trust_after = \"soon\"", &["clock_trust_after", "soon", "ms, s, m, h or d"]);
        check("idempotency_window = \"0s\"", &["idempotency_window", "366d"]);
        check("max_idempotency_keys_per_user = 0", &["max_idempotency_keys_per_user", "from 1 to"]);
        check("sync_timeout = \"1ms\"", &["sync_timeout", "10ms to 1d"]);
        check("shutdown_timeout = \"2d\"", &["shutdown_timeout", "10ms to 1d"]);
        check("low_space_mark = 0", &["low_space_mark", "from 1 to"]);
        check("user_bytes_per_minute = \"much\"", &["user_bytes_per_minute", "from 1 to"]);
        check("log_format = \"xml\"", &["log_format", "xml", "text, json"]);
        check("max_connections = 0", &["max_connections", "from 1 to"]);
        check("max_connections_per_address = 0", &["max_connections_per_address", "from 1 to"]);
        check("idle_timeout = \"never\"", &["idle_timeout", "never", "ms, s, m, h or d"]);
        check("head_timeout = \"2d\"", &["head_timeout", "2d", "10ms to 1d"]);
        check("answer_memory = 0", &["answer_memory", "from 1 to"]);
        check("answer_memory_per_user = -1", &["answer_memory_per_user", "from 1 to"]);
        check("max_outstanding = \"many\"", &["max_outstanding", "many", "from 1 to"]);
        check("mirror_backlog_policy = \"lose\"", &["mirror_backlog_policy", "lose", "keep, drop"]);
        check("mirror_migrate = \"yes\"", &["mirror_migrate", "yes", "true, false"]);
        check("mirror_backlog_max = 0", &["mirror_backlog_max", "from 1 to"]);
        check("colour = \"red\"", &["colour", "listen", "data_dir"]);
        check("listen = 3000", &["listen"]);
    }

    #[test]
    fn a_secret_is_never_printed() {
        let secret = "hunter2-hunter2";
        let error =
            Partial::of_toml(&format!("auth_secret = \"{secret}\"")).and_then(Partial::check);
        let error = error.expect_err("a secret that is too short").to_string();
        assert!(error.contains("32") && !error.contains(secret), "{error}");
        let unfinished =
            Partial::of_toml(&format!("auth_secret = \"{secret}")).expect_err("no closing quote");
        assert!(!format!("{unfinished} {unfinished:?}").contains(secret), "{unfinished:?}");
        let kept = Partial::of_environment(|name| name.ends_with("SECRET").then(|| secret.into()));
        assert!(
            kept.auth_secret.is_some() && !format!("{kept:?}").contains(secret),
            "the debug form hides the secret"
        );
    }
}
