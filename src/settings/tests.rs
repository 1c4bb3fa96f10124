use std::collections::BTreeSet;

use super::given::Given;
use super::setting::{Fallback, Setting, Takes};
use super::table::SETTINGS;
use crate::base::error::{Error, Result};
use crate::doc_tables;
use crate::http::Place;
use crate::settings::{Config, LogFormat};

fn of_file(toml: &str) -> Result<Config> {
    Given::of_toml(toml)?.check()
}

fn failure(toml: &str) -> Error {
    of_file(toml).err().expect("it is refused")
}

#[test]
fn a_setting_has_one_row() {
    let names: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.name).collect();
    assert_eq!(names.len(), SETTINGS.len());
}

#[test]
fn a_flag_goes_before_the_environment_before_the_file_before_the_default() {
    let flags = || Given::of(|setting| (setting.name == "listen").then(|| "1.1.1.1:1".into()));
    let environment =
        || Given::of_environment(|name| (name == "STOCKHOLD_LISTEN").then(|| "1.1.1.1:2".into()));
    let empty = || Given::of_environment(|_| Some("".into()));
    let file = || Given::of_toml("listen = \"1.1.1.1:3\"").expect("a valid file");
    let none = Given::nothing;
    let at = |text: &str| text.parse::<Place>().expect("a place");
    for (given, place) in [
        (flags().over(&environment()).over(&file()), "1.1.1.1:1"),
        (none().over(&environment()).over(&file()), "1.1.1.1:2"),
        (none().over(&empty()).over(&file()), "1.1.1.1:3"),
        (none().over(&none()).over(&none()), "127.0.0.1:3000"),
    ] {
        assert_eq!(given.check().expect("valid settings").listen, [at(place)]);
    }
}

#[test]
fn without_settings_there_are_the_defaults() {
    let mut config = Given::nothing().check().expect("valid defaults");
    assert_eq!(config.listen, [Place::Tcp(([127, 0, 0, 1], 3000).into())]);
    assert_eq!(config.data_dir.to_str(), Some("./data"));
    assert_eq!(config.mall.reservation_ttl_ms, 900_000);
    assert_eq!((config.shutdown_timeout.as_secs(), config.log.format), (60, LogFormat::Text));
    assert!(config.auth_secret.is_none() && config.mall.outstanding_max.is_none());
    assert!(config.mirror().is_none() && config.connections_per_address.is_none());
    // Whatever the table gives an engine is within the engine's own bounds.
    let dir = tempfile::tempdir().expect("a directory");
    config.data_dir = dir.path().to_owned();
    let opened = config.take_engine().segment_bytes(128 << 10).open();
    opened.and_then(|engine| engine.close()).expect("it opens");
}

#[test]
fn the_file_that_is_deployed_shows_every_setting_with_its_default() {
    let text = include_str!("../../deploy/stockhold.toml");
    let given = Given::of_toml(text).expect("a valid file");
    for Setting { name, default, .. } in SETTINGS {
        let value = given.value(name).and_then(|value| value.to_str());
        let expected = match default {
            Fallback::Is(value) => Some(*value),
            Fallback::Unset(_) => None,
        };
        assert_eq!(value, expected, "deploy/stockhold.toml: {name}");
        let is_shown = text.lines().any(|line| {
            let line = line.trim_start_matches("# ");
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(" = "))
        });
        // A secret of its own file would be read by who may read the others.
        let is_secret = ["auth_secret", "points_service_secret"].contains(name);
        assert!(is_shown || is_secret, "deploy/stockhold.toml does not show {name}");
    }
}

#[test]
fn every_setting_is_in_the_documents_and_no_other() {
    let (of_mirror, others): (Vec<_>, Vec<_>) =
        SETTINGS.iter().partition(|setting| setting.name.starts_with("mirror_"));
    let rows = |settings: Vec<&Setting>| settings.into_iter().map(row).collect::<Vec<_>>();
    let operations = include_str!("../../docs/operations.md");
    doc_tables::check("docs/operations.md", operations, "## Settings", &rows(others));
    let mirror = include_str!("../../docs/mirror.md");
    doc_tables::check("docs/mirror.md", mirror, "## Settings", &rows(of_mirror));
}

/// A setting as the documents show it.
fn row(setting: &Setting) -> String {
    let Setting { name, default, takes, help, more, .. } = setting;
    let flag =
        setting.flag().map_or_else(|| format!("`{name}`, no flag"), |it| format!("`--{it}`"));
    let shown = setting.default_shown();
    let default = match (default, takes) {
        (Fallback::Unset(_), _) | (_, Takes::Bytes { .. }) => shown,
        (Fallback::Is(_), _) => format!("`{shown}`"),
    };
    let more = if more.is_empty() { String::new() } else { format!(". {more}") };
    format!("| {flag} | {default} | {} | {help}{more} |", setting.allowed())
}

#[test]
fn a_wrong_setting_is_named_with_what_is_allowed() {
    let check = |toml: &str, parts: &[&str]| {
        let error = failure(toml).to_string();
        for part in parts {
            assert!(error.contains(part), "{error:?} must contain {part:?}");
        }
    };
    check("listen = \"nowhere\"", &["listen", "nowhere", "IP:PORT"]);
    check("reservation_ttl = \"soon\"", &["reservation_ttl", "soon", "ms, s, m, h or d"]);
    check("reservation_ttl = \"400d\"", &["reservation_ttl", "from 1ms to 366d"]);
    check("token_leeway = \"1h\"", &["token_leeway", "1h", "from 0ms to 5m"]);
    check("clock_trust_after = \"soon\"", &["clock_trust_after", "soon", "ms, s, m, h or d"]);
    check("idempotency_window = \"0s\"", &["idempotency_window", "366d"]);
    check("max_idempotency_keys_per_user = 0", &["max_idempotency_keys_per_user", "from 1 to"]);
    check("sync_timeout = \"1ms\"", &["sync_timeout", "10ms to 1d"]);
    check("low_space_mark = 0", &["low_space_mark", "from 1 to"]);
    check("user_bytes_per_minute = \"much\"", &["user_bytes_per_minute", "from 1 to"]);
    check("log_format = \"xml\"", &["log_format is \"xml\": it must be one of text, json"]);
    check(
        "max_connections = 0",
        &["max_connections is \"0\": it must be a number from 1 to 1000000"],
    );
    check("answer_memory_per_user = -1", &["answer_memory_per_user", "-1", "from 1 to"]);
    check("max_outstanding = \"many\"", &["max_outstanding", "many", "from 1 to"]);
    check("max_outstanding = 1.5", &["max_outstanding", "expected a number"]);
    check("mirror_backlog_policy = \"lose\"", &["mirror_backlog_policy", "lose", "keep, drop"]);
    check("mirror_migrate = \"yes\"", &["mirror_migrate", "yes", "true, false"]);
    check("mirror_migrate = 1", &["mirror_migrate", "expected true or false"]);
    check("mirror_backlog_max = 0", &["mirror_backlog_max", "from 1 to"]);
    check(
        "experiments = \"a x=price:60 y=hot:40\"",
        &["experiments", "y=hot:40", "STRATEGY:PERCENT"],
    );
    check("experiment_window = \"0s\"", &["experiment_window", "1ms to 366d"]);
    check("trace_sample = \"0\"", &["trace_sample", "above 0, and 1 at most"]);
    check("trace_sample = \"1.1\"", &["trace_sample", "above 0, and 1 at most"]);
    check("otlp_endpoint = \"ftp://a\"", &["otlp_endpoint", "ftp://a", "http://HOST:PORT"]);
    check(
        "otlp_headers_file = \"/x\"",
        &["otlp_headers_file is set, but there is no otlp_endpoint"],
    );
    check("log_file_bytes = 5", &["log_file_bytes is set, but there is no log_file"]);
    check("log_file_period = \"day\"", &["log_file_period is set, but there is no log_file"]);
    check("log_file_period = \"week\"", &["log_file_period", "week", "any, day, hour"]);
    check("colour = \"red\"", &["colour", "`listen`", "`data_dir`"]);
    check("listen = 3000", &["listen", "expected a string, or an array of strings"]);
    check("listen = [\"127.0.0.1:0\", \"localhost:3000\"]", &["\"localhost:3000\"", "IP:PORT"]);
    check("listen = \"unix:here\"", &["unix:here", "unix:/PATH"]);
    check("listen = [3000]", &["listen", "expected strings"]);
}

#[test]
fn numbers_and_flags_may_be_texts() {
    let config = of_file("max_outstanding = \"5\"\nmirror_migrate = \"false\"").expect("valid");
    assert_eq!((config.mall.outstanding_max, config.mirror.migrate), (Some(5), false));
}

#[test]
fn a_secret_is_never_printed() {
    let secret = "hunter2-hunter2";
    for toml in [
        format!("auth_secret = \"{secret}\""),
        // Without the closing quote, which the parser tells of.
        format!("auth_secret = \"{secret}"),
        format!("auth_secret = [\"{secret}\"]"),
    ] {
        let error = failure(&toml);
        assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
    }
    let short = failure(&format!("auth_secret = \"{secret}\"")).to_string();
    assert_eq!(short, "auth_secret must have at least 32 bytes");
    let secrets = SETTINGS.iter().filter(|setting| matches!(setting.takes, Takes::Secret { .. }));
    let flags: Vec<_> = secrets.map(|setting| (setting.name, setting.flag())).collect();
    let mirror = ("mirror_url", Some("mirror-url".to_owned()));
    let points = ("points_service_secret", None);
    assert_eq!(
        flags,
        [("auth_secret", None), points, mirror],
        "whoever lists processes reads flags"
    );
}

/// Would catch a row whose bad values are taken, or refused without saying of which setting and what
/// it takes; and a secret that is repeated.
#[test]
fn every_row_refuses_a_bad_value_by_its_name_and_says_what_is_allowed() {
    for setting in SETTINGS {
        let bad: &[&str] = match &setting.takes {
            Takes::Number { .. } | Takes::Bytes { .. } => &["0", "-1", "1.5", "many", ""],
            Takes::Time { .. } => &["soon", "15", "-1s", "999999999999999d"],
            Takes::Choice { .. } | Takes::Yes { .. } => &["perhaps", "", "TRUE"],
            // Any path may be one.
            Takes::Path { .. } => &[],
            Takes::List { .. } => &["\u{1}", "", "a,b", ","],
            Takes::Text { .. } | Takes::Secret { .. } => &["\u{1} /@ \u{1}", ""],
        };
        let mut refused = 0;
        for value in bad {
            let mut config = Config::unset();
            let Err(error) = setting.set(&mut config, value.as_ref()) else { continue };
            refused += 1;
            let told = error.to_string();
            let allowed = match &setting.takes {
                Takes::Number { max, .. } => format!("a number from 1 to {max}"),
                Takes::Bytes { .. } => "a number from 1 to".to_owned(),
                // A text that is no time at all is told how one is written.
                Takes::Time { .. } => "ms, s, m, h or d".to_owned(),
                Takes::Choice { of } => {
                    of.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
                }
                Takes::Yes { .. } => "true, false".to_owned(),
                Takes::Path { .. } => String::new(),
                Takes::List { form, .. }
                | Takes::Text { form, .. }
                | Takes::Secret { form, .. } => (*form).to_owned(),
            };
            assert!(told.contains(setting.name) && told.contains(&allowed), "{value:?}: {told}");
            if matches!(setting.takes, Takes::Secret { .. }) {
                assert!(value.is_empty() || !told.contains(value), "{told}");
            }
        }
        match &setting.takes {
            Takes::Path { .. } => {}
            // Some texts are looked at where they are used.
            Takes::Text { .. } | Takes::Secret { .. } => {}
            _ => assert_eq!(refused, bad.len(), "{} takes what it must not", setting.name),
        }
    }
}
