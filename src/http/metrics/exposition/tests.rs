//! The document says what the tables say, and both formats the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hyper::StatusCode;
use secrecy::SecretString;

use super::*;
use crate::base::clock::ManualClock;
use crate::doc_tables;
use crate::engine::Engine;
use crate::http::code::Code;
use crate::http::metrics::Outcome;
use crate::http::{App, Auth, Limits};
use crate::mall::{Mall, MallConfig};

/// The server of the demo, of which something was asked.
fn app() -> App {
    let clock = Arc::new(ManualClock::new(50_000));
    let engine = Engine::in_memory().clock(clock).open().expect("there is memory");
    let mall = Mall::open(engine, MallConfig::default()).expect("it opens");
    mall.load_demo().expect("it loads");
    let secret = SecretString::from("0123456789abcdef0123456789abcdef");
    let app = App::new(mall, Auth::new(&secret).expect("a long secret"), Limits::default());
    for outcome in [
        Outcome::Answered(StatusCode::OK),
        Outcome::Failed(Code::OutOfStock),
        Outcome::Failed(Code::LimitExceeded),
    ] {
        let mut request = app.watching.begin();
        request.found(0);
        request.ended(outcome);
    }
    while app.watching.rounds.step(app.mall.engine()) {}
    app
}

fn all_families() -> Vec<Family> {
    families(&Sources::of(&app()).read())
}

#[test]
fn every_metric_is_in_its_document_and_no_other() {
    let row = |family: &Family| {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, help) = (&family.name, family.kind.name(), family.help);
        format!("| `{name}` | {kind} | {} | {help} |", labels.join(", "))
    };
    let document = include_str!("../../../../docs/metrics.md");
    let all = all_families();
    let (own, engine): (Vec<_>, Vec<_>) =
        all.iter().partition(|family| TABLE.iter().any(|row| row.name == family.name));
    for (heading, families) in [("## The engine", engine), ("## The server", own)] {
        let rows: Vec<String> = families.into_iter().map(row).collect();
        doc_tables::check("docs/metrics.md", document, heading, &rows);
    }
}

#[test]
fn names_keep_to_the_conventions_and_values_to_their_labels() {
    let mut names = BTreeSet::new();
    for family in all_families() {
        let name = &family.name;
        assert!(names.insert(name.clone()), "{name} is there twice");
        assert!(name.starts_with("stockhold_") || name.starts_with("process_"), "{name}");
        assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
        assert!(!name.ends_with("_ms") && !name.contains("__"), "{name}");
        assert!(family.help.ends_with('.') && !family.help.contains(['\n', '|']), "{name}");
        let mut seen = BTreeSet::new();
        for sample in &family.samples {
            assert_eq!(sample.labels.len(), family.labels.len(), "{name}: {sample:?}");
            assert!(seen.insert(sample.labels.clone()), "{name} has one value twice: {sample:?}");
            let is_times = matches!(sample.value, Value::Times(_));
            assert_eq!(is_times, family.kind == Kind::Histogram, "{name}");
        }
    }
}

/// The values by their series. To a scraper the order of labels is nothing.
fn series(text: &str) -> BTreeMap<String, &str> {
    let sorted = |series: &str| {
        let Some((name, labels)) = series.split_once('{') else { return series.to_owned() };
        let mut labels: Vec<&str> = labels.trim_end_matches('}').split(',').collect();
        labels.sort_unstable();
        format!("{name}{{{}}}", labels.join(","))
    };
    let values = text.lines().filter(|line| !line.starts_with('#'));
    values.filter_map(|line| line.rsplit_once(' ')).map(|(it, value)| (sorted(it), value)).collect()
}

#[test]
fn both_formats_tell_the_same_series() {
    let sources = Sources::of(&app());
    let text = |format| written(&sources, format).expect("it is written");
    let (plain, open) = (text(Exposition::Prometheus), text(Exposition::OpenMetrics));
    let (plain, open_series) = (series(&plain), series(&open));
    assert_eq!(plain.keys().collect::<Vec<_>>(), open_series.keys().collect::<Vec<_>>());
    assert!(open.ends_with("# EOF\n"), "{open}");
    for (series, value) in [
        (
            r#"stockhold_http_requests_total{code="409",method="GET",route="/api/mall/categories"}"#,
            "2",
        ),
        (r#"stockhold_http_failures_total{error="OUT_OF_STOCK"}"#, "1"),
        (r#"stockhold_http_failures_total{error="LOW_SPACE"}"#, "0"),
        (r#"stockhold_exchanges_total{outcome="SUCCESS"}"#, "0"),
        (r#"stockhold_books_units{kind="points",state="available"}"#, "1000000"),
        ("stockhold_books_unbalanced_total", "0"),
        ("stockhold_ready", "1"),
        (r#"stockhold_commands_total{command="reserve",outcome="done"}"#, "0"),
    ] {
        assert_eq!(plain.get(series), Some(&value), "{series}");
    }
    let buckets = plain.keys().filter(|name| name.contains("le=\"0.5\""));
    assert_eq!(buckets.count(), 2, "of requests and of syncs");
}
