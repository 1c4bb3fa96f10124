//! Would catch an alert without a page in the runbook or without a test, a page of an alert that is
//! gone, and a rule or a panel that asks for a metric that there is not.

#![allow(clippy::disallowed_methods, reason = "a test reads the repository's own files")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rules() -> String {
    text("deploy/prometheus/stockhold.rules.yml")
}

/// What follows `mark` on its line, each in turn.
fn marked<'a>(text: &'a str, mark: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.trim().strip_prefix(mark)).collect()
}

#[test]
fn every_alert_has_its_page_and_a_test_that_makes_it_fire_and_end() {
    let rules = rules();
    let alerts = marked(&rules, "- alert: ");
    assert!(alerts.len() > 20, "they are found: {alerts:?}");
    let runbook = text("docs/runbook.md");
    assert_eq!(marked(&runbook, "## "), alerts, "the pages of docs/runbook.md, in their order");
    for part in ["**What it means.**", "**How to see it.**", "**What to do.**", "- **Tried.**"] {
        assert_eq!(runbook.matches(part).count(), alerts.len(), "{part}");
    }
    let pages: Vec<String> =
        alerts.iter().map(|alert| format!("'docs/runbook.md#{}'", alert.to_lowercase())).collect();
    assert_eq!(marked(&rules, "runbook: "), pages);
    let tests = text("deploy/prometheus/stockhold.tests.yml");
    let twice: Vec<&str> = alerts.iter().flat_map(|alert| [*alert, *alert]).collect();
    assert_eq!(marked(&tests, "- alertname: "), twice, "each fires, and ends");
    assert_eq!(tests.matches("exp_alerts: []").count(), alerts.len(), "each ends");
    for (alert, after) in alerts.iter().zip(rules.split("- alert: ").skip(1)) {
        let expression = marked(after, "expr: ")[0].trim_matches('\'');
        let page = runbook.split(&format!("\n## {alert}\n")).nth(1).unwrap_or_default();
        let head = page.trim_start().lines().next().unwrap_or_default();
        assert!(head.contains(&format!(": `{expression}`")), "the page of {alert}: {head}");
    }
}

/// Would catch a runbook that says of an alert that it was tried, and nothing tries it.
#[test]
fn what_was_tried_is_what_the_script_tries() {
    let (runbook, script) = (text("docs/runbook.md"), text("scripts/alerts.bash"));
    let (usual, slow) = script.split_once("\ntry_the_rest() {").expect("both parts");
    for page in runbook.split("\n## Stockhold").skip(1) {
        let name = page.lines().next().unwrap_or_default();
        let tried = page.split("**Tried.**").nth(1).unwrap_or_default();
        let has = |part: &str| {
            part.split(|c: char| !c.is_ascii_alphanumeric())
                .any(|word| word.trim_start_matches("Stockhold") == name)
        };
        let expected = match (has(usual), has(slow)) {
            (true, _) => "`scripts/metrics`",
            (false, true) => "`scripts/metrics --all`",
            (false, false) => "By promtool alone",
        };
        assert!(tried.trim_start().starts_with(expected), "{name}: {tried}");
    }
}

/// The names in a text that look like a metric of ours.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    words.filter(|word| word.starts_with("stockhold_") || word.starts_with("process_")).collect()
}

#[test]
fn rules_and_dashboard_ask_for_metrics_that_there_are() {
    let (rules, dashboard) = (rules(), text("deploy/prometheus/dashboard.json"));
    let document = text("docs/metrics.md");
    let asked = metrics(&rules).into_iter().chain(metrics(&dashboard)).collect::<BTreeSet<_>>();
    assert!(asked.len() > 40, "they are found: {asked:?}");
    for name in asked {
        let stem = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let is_there = [Some(name), stem]
            .into_iter()
            .flatten()
            .any(|name| document.contains(&format!("| `{name}` |")));
        assert!(is_there, "{name} is in no table of docs/metrics.md");
    }
    let recorded: BTreeSet<&str> = marked(&rules, "- record: ").into_iter().collect();
    let words = dashboard.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    for name in words.filter(|word| word.starts_with("stockhold:")) {
        assert!(recorded.contains(name), "{name} is recorded by no rule");
    }
}
