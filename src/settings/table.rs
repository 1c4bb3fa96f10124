//! The table of settings.
//!
//! A row is all there is of a setting: flag, variable, key of the file, help, bounds and messages
//! follow from it, and `set` says what it sets. `docs/operations.md`, `docs/mirror.md` and
//! `deploy/stockhold.toml` are held to the table by tests.

use super::log::{LogFormat, LogUserIds};
use super::setting::Fallback::{Is, Unset};
use super::setting::{Setting, Takes};
use crate::base::{PLACES_MAX, TTL_MS_MAX};
use crate::engine::EngineBuilder;
use crate::http::{RequestLog, SECRET_BYTES_MIN};
use crate::mall::{Experiments, Zone};
use crate::outgoing::Endpoint;
use crate::sink::BacklogPolicy;

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 86_400_000;
const CONNECTIONS_MAX: u64 = 1_000_000;
const OUTSTANDING_MAX: u64 = 1_000_000;
const KEYS_MAX: u64 = 1 << 30;

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "listen",
        value: "ADDR",
        default: Is("127.0.0.1:3000"),
        takes: Takes::Text {
            form: "IP:PORT, as in 127.0.0.1:3000 or [::]:3000",
            set: |to, text| text.parse().ok().map(|address| to.listen = address),
        },
        help: "Where to listen",
        more: "Port 0 takes a free one and prints it",
    },
    Setting {
        name: "data_dir",
        value: "DIR",
        default: Is("./data"),
        takes: Takes::Path { set: |to, path| to.data_dir = path },
        help: "Where the server keeps its data; the secret that a demo made is found there",
        more: "It is made when it is missing",
    },
    Setting {
        name: "reservation_ttl",
        value: "TIME",
        default: Is("15m"),
        takes: Takes::Time {
            ms: 1..=TTL_MS_MAX,
            set: |to, time| to.mall.reservation_ttl_ms = time.as_millis() as u64,
        },
        help: "How long an order waits for its confirmation",
        more: "",
    },
    Setting {
        name: "max_outstanding",
        value: "N",
        default: Unset("no limit"),
        takes: Takes::Number {
            max: OUTSTANDING_MAX,
            set: |to, count| to.mall.outstanding_max = Some(count),
        },
        help: "How many waiting orders a user may have",
        more: "",
    },
    Setting {
        name: "waiting_places",
        value: "N",
        default: Unset("nobody"),
        takes: Takes::Number {
            max: PLACES_MAX as u64,
            set: |to, count| to.mall.waiting_places = count,
        },
        help: "How many may wait in line for a product that is sold out, where it says nothing itself",
        more: "",
    },
    Setting {
        name: "granted_ttl",
        value: "TIME",
        default: Is("1h"),
        takes: Takes::Time {
            ms: 1..=TTL_MS_MAX,
            set: |to, time| to.mall.granted_ttl_ms = time.as_millis() as u64,
        },
        help: "How long the order of somebody who was next in line waits for its confirmation",
        more: "",
    },
    Setting {
        name: "max_waiting",
        value: "TIME",
        default: Is("1h"),
        takes: Takes::Time {
            ms: 1..=TTL_MS_MAX,
            set: |to, time| to.mall.waiting_max_ms = time.as_millis() as u64,
        },
        help: "How long an order may wait in all, when its deadline is moved",
        more: "",
    },
    Setting {
        name: "complete_after",
        value: "TIME",
        default: Is("15d"),
        takes: Takes::Time {
            ms: 1..=TTL_MS_MAX,
            set: |to, time| to.mall.completion_after_ms = Some(time.as_millis() as u64),
        },
        help: "How long after it was sent an order is completed by itself",
        more: "",
    },
    Setting {
        name: "cancel_window",
        value: "TIME",
        default: Unset("until it is sent"),
        takes: Takes::Time {
            ms: 0..=TTL_MS_MAX,
            set: |to, time| to.mall.cancel_window_ms = Some(time.as_millis() as u64),
        },
        help: "How long after its confirmation a user may cancel an order that is not sent yet",
        more: "`0s` is never; operators may always",
    },
    Setting {
        name: "reacquire_window",
        value: "TIME",
        default: Is("7d"),
        takes: Takes::Time {
            ms: 0..=TTL_MS_MAX,
            set: |to, time| to.mall.reacquire_window_ms = time.as_millis() as u64,
        },
        help: "How long after its deadline an order may be confirmed with `reacquire`, for a payment that came late",
        more: "`0s` is never",
    },
    Setting {
        name: "points_grace",
        value: "TIME",
        default: Is("30d"),
        takes: Takes::Time {
            ms: DAY_MS..=3650 * DAY_MS,
            set: |to, time| to.mall.points_grace_ms = time.as_millis() as u64,
        },
        help: "How long points stay good that a refund returns after their end",
        more: "Until the end of that day",
    },
    Setting {
        name: "points_day",
        value: "OFFSET",
        default: Is("+00:00"),
        takes: Takes::Text {
            form: "an offset from UTC, as in +08:00",
            set: |to, text| offset_min(text).map(|it| to.mall.points_day_offset_min = it),
        },
        help: "Where days end: points are good until the end of a day",
        more: "Points that were given keep the end that they have",
    },
    Setting {
        name: "time_zone",
        value: "ZONE",
        default: Is("UTC"),
        takes: Takes::Text {
            form: "a name of the IANA database, as in Asia/Shanghai",
            set: |to, text| Zone::named(text).ok().map(|zone| to.mall.time_zone = zone),
        },
        help: "Where the mall is: the days and weeks of reports are those of this time zone",
        more: "See [Reports](#reports)",
    },
    Setting {
        name: "reports_dir",
        value: "DIR",
        default: Unset("nowhere"),
        takes: Takes::Path { set: |to, path| to.reports_dir = Some(path) },
        help: "Where the report of each day and week is written when it is over",
        more: "It is made when it is missing",
    },
    Setting {
        name: "backup_to",
        value: "DIR|URL",
        default: Unset("nowhere"),
        takes: Takes::Text {
            form: "a directory, or s3://BUCKET/PREFIX",
            set: |to, text| {
                to.backup.to = Some(text.to_owned());
                (!text.is_empty()).then_some(())
            },
        },
        help: "Where the server copies its data to while it runs",
        more: "See [Backup](#backup)",
    },
    Setting {
        name: "backup_every",
        value: "TIME",
        default: Is("10s"),
        takes: Takes::Time { ms: 1_000..=DAY_MS, set: |to, time| to.backup.every = time },
        help: "How often it copies what is new: what is lost with the machine is of this time, and of a run",
        more: "",
    },
    Setting {
        name: "backup_key_file",
        value: "FILE",
        default: Unset("not encrypted"),
        takes: Takes::Path { set: |to, path| to.backup.key_file = Some(path) },
        help: "A file with the key that copies are encrypted with: 64 hexadecimal digits",
        more: "",
    },
    Setting {
        name: "backup_keep",
        value: "TIME",
        default: Unset("for good"),
        takes: Takes::Time {
            ms: MINUTE_MS..=u64::MAX,
            set: |to, time| to.backup.keep = Some(time),
        },
        help: "For how long every moment can be restored, counted back from the newest",
        more: "",
    },
    Setting {
        name: "backup_snapshot_every",
        value: "TIME",
        default: Is("1h"),
        takes: Takes::Time { ms: 0..=u64::MAX, set: |to, time| to.backup.snapshot_every = time },
        help: "How old the newest snapshot among the copies may be before another is copied",
        more: "The longer, the more events a restore replays",
    },
    Setting {
        name: "experiments",
        value: "EXPERIMENTS",
        default: Unset("none"),
        takes: Takes::Text {
            form: "`NAME VARIANT=STRATEGY:PERCENT VARIANT=STRATEGY:PERCENT`, with `;` between experiments",
            set: |to, text| {
                let read = Experiments::parse(text);
                read.ok().map(|experiments| to.mall.experiments = experiments)
            },
        },
        help: "Which ways to recommend products are tried, each for some of the users",
        more: "See [Experiments](#experiments)",
    },
    Setting {
        name: "experiment_window",
        value: "TIME",
        default: Is("7d"),
        takes: Takes::Time {
            ms: 1..=TTL_MS_MAX,
            set: |to, time| to.mall.experiment_window_ms = time.as_millis() as u64,
        },
        help: "For how long after a user was shown its variant of an experiment an exchange counts",
        more: "",
    },
    Setting {
        name: "clock_trust_after",
        value: "TIME",
        default: Is("15m"),
        takes: Takes::Time {
            ms: 0..=u64::MAX,
            set: |to, time| to.engine(EngineBuilder::clock_trust_after, time),
        },
        help: "How long a clock that jumped forwards must stay so before deadlines follow it",
        more: "",
    },
    Setting {
        name: "idempotency_window",
        value: "TIME",
        default: Is("24h"),
        takes: Takes::Time {
            ms: 1..=TTL_MS_MAX,
            set: |to, time| {
                to.engine(EngineBuilder::idempotency_window_ms, time.as_millis() as u64);
            },
        },
        help: "For how long the answer to a request with an Idempotency-Key is kept",
        more: "",
    },
    Setting {
        name: "max_idempotency_keys",
        value: "N",
        default: Is("4194304"),
        takes: Takes::Number {
            max: KEYS_MAX,
            set: |to, count| to.engine(EngineBuilder::idempotency_keys, count as usize),
        },
        help: "How many of these answers are kept",
        more: "Each takes some 150 bytes of memory; beyond that, requests are `OVERLOADED`",
    },
    Setting {
        name: "max_idempotency_keys_per_user",
        value: "N",
        default: Is("10000"),
        takes: Takes::Number {
            max: KEYS_MAX,
            set: |to, count| to.engine(EngineBuilder::idempotency_keys_per_owner, count as usize),
        },
        help: "How many of them of one user",
        more: "Or of one operator and path; beyond that, its requests are `TOO_MANY_KEYS`",
    },
    Setting {
        name: "auth_secret",
        value: "SECRET",
        default: Unset("none"),
        takes: Takes::Secret {
            form: "at least 32 bytes",
            flag: false,
            set: |to, text| {
                (text.len() >= SECRET_BYTES_MIN).then(|| to.auth_secret = Some(text.into()))
            },
        },
        help: "What signs and verifies tokens that name no key",
        more: "Without it and without keys, `serve` does not start, but for `--demo`",
    },
    Setting {
        name: "auth_keys",
        value: "FILE",
        default: Unset("none"),
        takes: Takes::Path { set: |to, path| to.auth_keys = Some(path) },
        help: "A JSON Web Key Set with the keys that tokens name by kid: secrets and public keys",
        more: "Read again when it changes, and on SIGHUP. See [Keys of tokens](#keys-of-tokens)",
    },
    Setting {
        name: "auth_keys_url",
        value: "URL",
        default: Unset("none"),
        takes: Takes::Text {
            form: "a URL",
            set: |to, text| {
                to.auth_keys_url.url = text.to_owned();
                Some(())
            },
        },
        help: "Where such keys are published, but for secrets",
        more: "Those of the file go first. See [Keys of tokens](#keys-of-tokens)",
    },
    Setting {
        name: "auth_keys_http_host",
        value: "HOST",
        default: Unset("none"),
        takes: Takes::Text {
            form: "a host",
            set: |to, text| {
                let is_host = !text.is_empty() && !text.contains(['/', ' ', '@']);
                is_host.then(|| to.auth_keys_url.http_host = Some(text.to_owned()))
            },
        },
        help: "The host that they may come from without TLS",
        more: "As the URL names it. Whoever is on the way to it can be anybody",
    },
    Setting {
        name: "auth_keys_refresh",
        value: "TIME",
        default: Is("10m"),
        takes: Takes::Time { ms: 10..=DAY_MS, set: |to, time| to.auth_keys_url.every = time },
        help: "How often to fetch the keys that are published",
        more: "",
    },
    Setting {
        name: "auth_keys_pause",
        value: "TIME",
        default: Is("30s"),
        takes: Takes::Time { ms: 10..=DAY_MS, set: |to, time| to.auth_keys_url.pause = time },
        help: "How long at least until they are fetched again",
        more: "Also when a token names a key that is not there, and when they could not be fetched",
    },
    Setting {
        name: "auth_issuer",
        value: "NAME",
        default: Unset("any"),
        takes: Takes::Text {
            form: "a name",
            set: |to, text| (!text.is_empty()).then(|| to.auth_issuer = Some(text.to_owned())),
        },
        help: "Who must have made a token: its iss",
        more: "Without it `iss` is not looked at",
    },
    Setting {
        name: "auth_audience",
        value: "NAME",
        default: Unset("any"),
        takes: Takes::Text {
            form: "a name",
            set: |to, text| (!text.is_empty()).then(|| to.auth_audience = Some(text.to_owned())),
        },
        help: "Whom a token must be for: its aud, or one of them",
        more: "Without it `aud` is not looked at",
    },
    Setting {
        name: "token_leeway",
        value: "TIME",
        default: Is("5s"),
        // More would keep a token alive that somebody meant to end.
        takes: Takes::Time { ms: 0..=5 * MINUTE_MS, set: |to, time| to.token_leeway = time },
        help: "By how much the clocks of those who make tokens may differ from ours",
        more: "",
    },
    Setting {
        name: "max_connections",
        value: "N",
        default: Is("10000"),
        takes: Takes::Number {
            max: CONNECTIONS_MAX,
            set: |to, count| to.limits.connections = count as usize,
        },
        help: "How many connections to serve at one time",
        more: "Fewer where the limit of open files is too low, which the log says. See [Connections](#connections)",
    },
    Setting {
        name: "max_connections_per_address",
        value: "N",
        default: Unset("half of them"),
        takes: Takes::Number {
            max: CONNECTIONS_MAX,
            set: |to, count| to.connections_per_address = Some(count as usize),
        },
        help: "How many of them one address may have, an IPv4 address or a /64 of IPv6",
        more: "Further connections get 503. Behind one proxy: as many as `--max-connections`",
    },
    Setting {
        name: "idle_timeout",
        value: "TIME",
        default: Is("75s"),
        takes: Takes::Time { ms: 10..=DAY_MS, set: |to, time| to.limits.idle_timeout = time },
        help: "How long a kept connection may be idle: longer than the proxy before the server keeps it",
        more: "See [Proxies](#proxies)",
    },
    Setting {
        name: "head_timeout",
        value: "TIME",
        default: Is("30s"),
        takes: Takes::Time { ms: 10..=DAY_MS, set: |to, time| to.limits.header_timeout = time },
        help: "How long a client may take to send a request's head",
        more: "",
    },
    Setting {
        name: "answer_memory",
        value: "BYTES",
        default: Is("268435456"),
        takes: Takes::Bytes { set: |to, bytes| to.limits.answer_bytes = bytes as usize },
        help: "How many bytes of answers may wait to be read by their clients",
        more: "Beyond that, requests hear 503",
    },
    Setting {
        name: "answer_memory_per_user",
        value: "BYTES",
        default: Is("33554432"),
        takes: Takes::Bytes { set: |to, bytes| to.limits.answer_bytes_per_user = bytes as usize },
        help: "How many of them for one user, or one address without a token",
        more: "The longest answer, a page of 100 orders, may have 10 MiB",
    },
    Setting {
        name: "log_format",
        value: "FORMAT",
        default: Is("text"),
        takes: Takes::Choice {
            of: &[
                ("text", |to| to.log.format = LogFormat::Text),
                ("json", |to| to.log.format = LogFormat::Json),
            ],
        },
        help: "How to log: text or json",
        more: "See [The log](#the-log)",
    },
    Setting {
        name: "log_level",
        value: "LEVEL",
        default: Is("info"),
        takes: Takes::Choice {
            of: &[
                ("error", |to| to.log.level = "error"),
                ("warn", |to| to.log.level = "warn"),
                ("info", |to| to.log.level = "info"),
                ("debug", |to| to.log.level = "debug"),
                ("trace", |to| to.log.level = "trace"),
            ],
        },
        help: "What to log: this level and those that are worse",
        more: "`RUST_LOG` goes before it, and may tell parts of the program apart",
    },
    Setting {
        name: "log_service",
        value: "NAME",
        default: Is("mall-service"),
        takes: Takes::Text {
            form: "1 to 64 of A-Z a-z 0-9 _ - .",
            set: |to, text| {
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
                to.log.service = text.to_owned();
                ((1..=64).contains(&text.len()) && text.bytes().all(is_plain)).then_some(())
            },
        },
        help: "What each JSON line says that it is of, as `service`",
        more: "",
    },
    Setting {
        name: "log_requests",
        value: "WHICH",
        default: Is("off"),
        takes: Takes::Choice {
            of: &[
                ("off", |to| to.log_requests = RequestLog::Off),
                ("failed", |to| to.log_requests = RequestLog::Failed),
                ("refused", |to| to.log_requests = RequestLog::Refused),
                ("all", |to| to.log_requests = RequestLog::All),
            ],
        },
        help: "Of which requests to log a line when they are answered",
        more: "`failed` is from 500 on, `refused` from 400 on",
    },
    Setting {
        name: "log_user_ids",
        value: "HOW",
        default: Is("shown"),
        takes: Takes::Choice {
            of: &[
                ("shown", |to| to.log.user_ids = LogUserIds::Shown),
                ("hashed", |to| to.log.user_ids = LogUserIds::Hashed),
                ("hidden", |to| to.log.user_ids = LogUserIds::Hidden),
            ],
        },
        help: "How lines name users",
        more: "Hashes need `auth_secret` to be the same after a restart",
    },
    Setting {
        name: "log_file",
        value: "FILE",
        default: Unset("standard error"),
        takes: Takes::Path { set: |to, path| to.log.file = Some(path) },
        help: "The file that the log is written to",
        more: "Opened anew on SIGHUP",
    },
    Setting {
        name: "log_file_bytes",
        value: "BYTES",
        default: Unset("any length"),
        takes: Takes::Bytes { set: |to, bytes| to.log.file_bytes_max = Some(bytes) },
        help: "With how many bytes the log's file is put aside, as FILE.1, and begun anew",
        more: "Without it that is left to logrotate",
    },
    Setting {
        name: "log_files_kept",
        value: "N",
        default: Is("10"),
        takes: Takes::Number { max: 1_000, set: |to, count| to.log.files_kept = count },
        help: "How many files that were put aside are kept",
        more: "",
    },
    Setting {
        name: "sync_timeout",
        value: "TIME",
        default: Is("5s"),
        takes: Takes::Time {
            ms: 10..=DAY_MS,
            set: |to, time| to.engine(EngineBuilder::sync_limit, time),
        },
        help: "After how long without an answer a disk counts as one that hangs",
        more: "",
    },
    Setting {
        name: "shutdown_timeout",
        value: "TIME",
        default: Is("60s"),
        takes: Takes::Time {
            ms: 10..=DAY_MS,
            set: |to, time| {
                to.shutdown_timeout = time;
                to.limits.drain_timeout = to.limits.drain_timeout.min(time / 3);
                to.engine(EngineBuilder::close_limit, time / 2);
            },
        },
        help: "How long stopping may take, whatever hangs",
        more: "",
    },
    Setting {
        name: "checkpoint_events",
        value: "N",
        default: Is("2000000"),
        takes: Takes::Number {
            max: 1 << 32,
            set: |to, count| to.engine(EngineBuilder::checkpoint_events, count),
        },
        help: "After how many events a checkpoint is written",
        more: "A start replays little more than this",
    },
    Setting {
        name: "low_space_mark",
        value: "BYTES",
        default: Is("268435456"),
        takes: Takes::Bytes { set: |to, bytes| to.engine(EngineBuilder::low_space_mark, bytes) },
        help: "With fewer free bytes than this nothing new is sold",
        more: "Until there is a quarter more",
    },
    Setting {
        name: "history_bytes_max",
        value: "BYTES",
        default: Is("68719476736"),
        takes: Takes::Bytes { set: |to, bytes| to.engine(EngineBuilder::history_bytes_max, bytes) },
        help: "With more bytes of history than this nothing new is sold",
        more: "What counts is `store/`",
    },
    Setting {
        name: "user_requests_per_minute",
        value: "N",
        default: Is("1200"),
        takes: Takes::Number {
            max: 1 << 50,
            set: |to, count| to.limits.user_requests_per_minute = Some(count),
        },
        help: "How many orders a user may make, confirm and cancel in a minute, all together",
        more: "Beyond that, requests are `RATE_LIMITED`",
    },
    Setting {
        name: "user_bytes_per_minute",
        value: "BYTES",
        default: Is("1048576"),
        takes: Takes::Bytes { set: |to, bytes| to.limits.user_bytes_per_minute = Some(bytes) },
        help: "How many bytes those may write",
        more: "Their bodies count, and 512 for each",
    },
    Setting {
        name: "user_reads_per_minute",
        value: "N",
        default: Unset("no limit"),
        takes: Takes::Number {
            max: 1 << 50,
            set: |to, count| to.limits.user_reads_per_minute = Some(count),
        },
        help: "How many requests that only read a user may make in a minute",
        more: "From whatever address, and by whatever service; operators have no limit",
    },
    Setting {
        name: "address_requests_per_minute",
        value: "N",
        default: Unset("no limit"),
        takes: Takes::Number {
            max: 1 << 50,
            set: |to, count| to.limits.address_requests_per_minute = Some(count),
        },
        help: "How many requests may come from one address in a minute, an IPv4 address or a /64 of IPv6",
        more: "Of users, and without a good token; not to `/health` and `/ready`. Not behind a proxy, whose address everybody has",
    },
    Setting {
        name: "points_service",
        value: "URL",
        default: Unset("the ledger keeps the points"),
        takes: Takes::Text {
            form: "`http://HOST:PORT/PATH`, or with https",
            set: |to, text| {
                Endpoint::parse(text).ok()?;
                to.points.url = Some(text.to_owned());
                Some(())
            },
        },
        help: "The service that keeps the points, in place of the ledger",
        more: "See [points-service.md](points-service.md)",
    },
    Setting {
        name: "points_service_secret",
        value: "SECRET",
        default: Unset("none"),
        takes: Takes::Secret {
            form: "at least 1 byte",
            flag: false,
            set: |to, text| {
                (!text.is_empty()).then(|| to.points.secret = Some(text.to_owned().into()))
            },
        },
        help: "What the points service knows this server by",
        more: "Sent as a bearer's token",
    },
    Setting {
        name: "points_service_secret_file",
        value: "FILE",
        default: Unset("none"),
        takes: Takes::Path { set: |to, path| to.points.secret_file = Some(path) },
        help: "A file with that secret, which goes before it",
        more: "",
    },
    Setting {
        name: "points_service_timeout",
        value: "TIME",
        default: Is("3s"),
        takes: Takes::Time { ms: 10..=DAY_MS, set: |to, time| to.points.timeout = time },
        help: "How long one call of the points service may take",
        more: "",
    },
    Setting {
        name: "points_service_patience",
        value: "TIME",
        default: Is("30s"),
        takes: Takes::Time { ms: 10..=DAY_MS, set: |to, time| to.points.patience = time },
        help: "How long an exchange waits for the points service",
        more: "Then it is given up, and hears `POINTS_UNAVAILABLE`",
    },
    Setting {
        name: "points_service_queue",
        value: "N",
        default: Is("1000"),
        takes: Takes::Number { max: 1_000_000, set: |to, count| to.points.queue = count as usize },
        help: "How many exchanges may wait for the points service",
        more: "Beyond that, requests are `OVERLOADED`",
    },
    Setting {
        name: "points_service_failures",
        value: "N",
        default: Is("5"),
        takes: Takes::Number {
            max: 1_000,
            set: |to, count| to.points.breaker.failures = count as u32,
        },
        help: "After how many calls without an answer, one after another, the points service is left alone",
        more: "",
    },
    Setting {
        name: "points_service_pause",
        value: "TIME",
        default: Is("10s"),
        takes: Takes::Time { ms: 200..=DAY_MS, set: |to, time| to.points.breaker.pause_max = time },
        help: "How long it is left alone at most before it is tried again",
        more: "The first pause is at most 200 ms; each is up to twice as long as the one before",
    },
    Setting {
        name: "mirror_url",
        value: "URL",
        default: Unset("no mirror"),
        takes: Takes::Secret {
            form: "`mysql://USER:PASSWORD@HOST:PORT/DATABASE`",
            flag: true,
            set: |to, text| {
                to.mirror.url = Some(text.into());
                Some(())
            },
        },
        help: "The database of the mirror, as mysql://USER:PASSWORD@HOST:PORT/DATABASE; other users of the machine can read \
               flags, so a password is better set in the environment or the file",
        more: "What a URL cannot hold is escaped with `%`; or `?socket=/path`",
    },
    Setting {
        name: "mirror_ca",
        value: "FILE",
        default: Unset("public certificates"),
        takes: Takes::Path { set: |to, path| to.mirror.ca = Some(path) },
        help: "Certificates (PEM), one of which must have signed that of the mirror's server; encrypts the connection",
        more: "",
    },
    Setting {
        name: "mirror_prefix",
        value: "PREFIX",
        default: Unset("nothing, or stockhold_ where an application has tables of those names"),
        takes: Takes::Text {
            form: "a prefix, or `none`",
            set: |to, text| {
                to.mirror.prefix = Some(text.to_owned());
                Some(())
            },
        },
        help: "What the names of the mirror's tables begin with; `none` for nothing",
        more: "See [below](#a-database-of-an-application)",
    },
    Setting {
        name: "mirror_migrate",
        value: "",
        default: Is("true"),
        takes: Takes::Yes { set: |to, migrate| to.mirror.migrate = migrate },
        help: "Leave the mirror's tables as they are; they must be up to date then",
        more: "",
    },
    Setting {
        name: "mirror_backlog_max",
        value: "BYTES",
        // Some 150 million events.
        default: Is("17179869184"),
        takes: Takes::Bytes { set: |to, bytes| to.mirror.backlog.bytes_max = bytes },
        help: "How many bytes of the journal to keep for a mirror that is behind",
        more: "",
    },
    Setting {
        name: "mirror_backlog_policy",
        value: "POLICY",
        default: Is("drop"),
        takes: Takes::Choice {
            of: &[
                ("keep", |to| to.mirror.backlog.policy = BacklogPolicy::Keep),
                ("drop", |to| to.mirror.backlog.policy = BacklogPolicy::Drop),
            ],
        },
        help: "What to do when that is not enough: keep or drop",
        more: "See below",
    },
    Setting {
        name: "webhook_private_hosts",
        value: "HOSTS",
        default: Unset("none"),
        takes: Takes::Text {
            form: "names or addresses of hosts, with commas between them",
            set: |to, text| {
                let hosts = text.split(',').map(str::trim);
                to.webhooks.settings.private_hosts = hosts.map(str::to_owned).collect();
                let is_host = |host: &String| !host.is_empty() && !host.contains(['/', ' ', '@']);
                to.webhooks.settings.private_hosts.iter().all(is_host).then_some(())
            },
        },
        help: "Hosts of receivers of webhooks that may be at private addresses, and without TLS",
        more: "As URLs name them; every other host must be at a public address",
    },
    Setting {
        name: "webhook_ca",
        value: "FILE",
        default: Unset("public certificates alone"),
        takes: Takes::Path { set: |to, path| to.webhooks.ca = Some(path) },
        help: "Certificates (PEM) that vouch for receivers of webhooks, besides the public ones",
        more: "",
    },
    Setting {
        name: "webhook_timeout",
        value: "TIME",
        default: Is("15s"),
        takes: Takes::Time { ms: 10..=60_000, set: |to, time| to.webhooks.settings.timeout = time },
        help: "How long a receiver of webhooks may take to answer",
        more: "",
    },
    Setting {
        name: "webhook_retry_for",
        value: "TIME",
        default: Is("3d"),
        takes: Takes::Time {
            ms: 1_000..=30 * DAY_MS,
            set: |to, time| to.webhooks.settings.retry_for = time,
        },
        help: "For how long a webhook is tried before it is given up",
        more: "See [webhooks.md](webhooks.md)",
    },
    Setting {
        name: "webhook_backlog_max",
        value: "BYTES",
        default: Is("1073741824"),
        takes: Takes::Bytes { set: |to, bytes| to.webhooks.settings.backlog_bytes_max = bytes },
        help: "How many bytes of the journal to keep for receivers of webhooks that are behind",
        more: "Beyond that they go on from the archive",
    },
];

/// An offset such as `+08:00`, in minutes.
fn offset_min(text: &str) -> Option<i32> {
    let (sign, text) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, max: i32| {
        let is_two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i32>().ok().filter(|number| is_two && *number <= max)
    };
    let minutes = number(hours, 14)? * 60 + number(minutes, 59)?;
    (minutes <= 14 * 60).then_some(sign * minutes)
}
