//! What a soak comes to.

use std::fmt;

use serde::Serialize;

use super::counts::{Counts, Findings};
use super::gauge::Series;

#[derive(Serialize)]
pub(super) struct Report {
    pub(super) seed: u64,
    pub(super) seconds: f64,
    pub(super) disk: String,
    /// Whether a mirror was there that never got on.
    pub(super) stalled_follower: bool,
    /// What could not be tried on this machine, and why.
    pub(super) left_out: Vec<String>,
    pub(super) counts: Counts,
    /// Over the calm part; `None` where the system does not tell.
    pub(super) memory_bytes: Option<Series>,
    pub(super) descriptors: Option<Series>,
    pub(super) never_tried: Vec<&'static str>,
    pub(super) findings: Findings,
}

impl Report {
    /// Whether everything was tried and nothing is wrong.
    pub(super) fn holds(&self) -> bool {
        self.findings.count == 0 && self.never_tried.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: String| writeln!(f, "  {name:<33} {value:>10}");
        row("seed", self.seed.to_string())?;
        row("seconds", format!("{:.0}", self.seconds))?;
        row("requests", self.counts.requests().to_string())?;
        for (code, count) in &self.counts.answers {
            row(&format!("  {code}"), count.to_string())?;
        }
        for (name, count) in self.counts.clone().numbers() {
            row(name, count.to_string())?;
        }
        writeln!(
            f,
            "\n  {:<18} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "once it was warm", "start", "min", "max", "last", "at most"
        )?;
        write_series(f, "memory, MiB", self.memory_bytes, 1 << 20)?;
        write_series(f, "file descriptors", self.descriptors, 1)?;
        writeln!(f, "\n  disk: {}", self.disk)?;
        if self.stalled_follower {
            writeln!(f, "  mirror: a database that never answers")?;
        }
        for what in &self.left_out {
            writeln!(f, "  LEFT OUT: {what}")?;
        }
        writeln!(f)?;
        for what in &self.findings.first {
            writeln!(f, "BROKEN: {what}")?;
        }
        if self.findings.count > self.findings.first.len() as u64 {
            writeln!(f, "BROKEN: and so on, {} findings in all", self.findings.count)?;
        }
        if !self.never_tried.is_empty() {
            writeln!(f, "NEVER TRIED: {}", self.never_tried.join(", "))?;
        }
        match self.holds() {
            true => write!(f, "OK: everything acknowledged is there, and every promise was kept."),
            false => write!(f, "The soak failed."),
        }
    }
}

fn write_series(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    series: Option<Series>,
    unit: u64,
) -> fmt::Result {
    let Some(it) = series else {
        return writeln!(f, "  {name:<18} this system does not tell");
    };
    let numbers =
        [it.start, it.min, it.max, it.last, it.bound].map(|number| format!("{:>9}", number / unit));
    writeln!(f, "  {name:<18} {}", numbers.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            seed: 7,
            seconds: 20.0,
            disk: "ext4".into(),
            stalled_follower: true,
            left_out: vec!["a full disk: mount: not permitted".into()],
            counts: Counts::default(),
            memory_bytes: Some(Series {
                samples: 2,
                start: 5 << 20,
                min: 5 << 20,
                max: 9 << 20,
                last: 6 << 20,
                bound: 1 << 30,
            }),
            descriptors: None,
            never_tried: Vec::new(),
            findings: Findings::default(),
        }
    }

    #[test]
    fn what_is_broken_or_was_never_tried_or_left_out_is_told() {
        let told = report().to_string();
        assert!(told.contains("\nOK: ") && told.contains("LEFT OUT: a full disk"), "{told}");
        let mut broken = report();
        (0..30).for_each(|number| broken.findings.note(format!("finding {number}")));
        let told = broken.to_string();
        assert!(
            !broken.holds() && told.contains("BROKEN: finding 3") && told.contains("30 findings"),
            "{told}"
        );
        let idle = Report { never_tried: vec!["a kill"], ..report() };
        assert!(!idle.holds() && idle.to_string().contains("NEVER TRIED: a kill"), "{idle}");
    }
}
