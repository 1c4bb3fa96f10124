//! Would catch an auditor that lets something pass, or cries over what is sound: every kind of
//! finding is made by a directory that holds it, and is told by its exit code; a directory after a
//! real sale, open, killed or closed, is clean.
#![cfg(feature = "bin")]
#![allow(clippy::disallowed_methods, reason = "the tests damage files")]

#[path = "../support/mod.rs"]
mod support;

mod clean;
mod forge;
mod forged;
mod leaks;
mod looks;
mod mended;
mod own_kinds;
mod rebuilds;
mod sale;

use std::path::Path;

use serde_json::Value;
use support::{run, stockhold};

/// What `stockhold verify --json` says.
pub(crate) struct Verdict {
    pub(crate) code: i32,
    pub(crate) report: Value,
}

impl Verdict {
    /// How many findings there are of each kind that has any.
    pub(crate) fn found(&self) -> Vec<(String, u64)> {
        let checks = self.report["checks"].as_array().expect("checks");
        let found = checks
            .iter()
            .map(|check| (check["kind"].as_str().expect("a kind"), check["findings"].as_u64()));
        let found = found.map(|(kind, count)| (kind.to_owned(), count.expect("a count")));
        found.filter(|(_, count)| *count > 0).collect()
    }

    pub(crate) fn told(&self) -> String {
        self.report["findings"].to_string()
    }

    pub(crate) fn audited(&self, name: &str) -> u64 {
        self.report["audited"][name]
            .as_u64()
            .unwrap_or_else(|| panic!("no {name} in {}", self.report))
    }
}

#[track_caller]
pub(crate) fn verify(dir: &Path) -> Verdict {
    let dir = dir.to_str().expect("a path in UTF-8");
    let (code, printed, log) = run(&mut stockhold(&["verify", dir, "--json"]));
    let report =
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}{log}"));
    Verdict { code, report }
}
