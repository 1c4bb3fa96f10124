//! The table.

use std::io::Write;
use std::path::Path;

use super::machine;
use crate::error::{Error, Result};

/// What a figure is held against.
#[derive(Clone, Copy)]
pub(super) enum Target {
    Over(f64),
    Under(f64),
    /// For the reader to compare with.
    None,
}

impl Target {
    fn text(self) -> String {
        match self {
            Self::Over(bound) => format!("> {}", short(bound)),
            Self::Under(bound) => format!("< {}", short(bound)),
            Self::None => String::new(),
        }
    }

    fn verdict(self, figure: f64) -> &'static str {
        match self {
            Self::Over(bound) if figure > bound => "met",
            Self::Under(bound) if figure < bound => "met",
            Self::None => "",
            _ => "MISSED",
        }
    }
}

pub(super) struct Report<'a> {
    out: &'a mut dyn Write,
    case: &'static str,
}

impl<'a> Report<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, case: "" }
    }

    pub(super) fn head(&mut self, dir: &Path) -> Result<()> {
        let facts = machine::facts();
        let head = format!(
            "{facts}\nfiles in {}\n\n| case | what | figure | unit | target | |\n|---|---|---:|---|---:|---|",
            dir.display()
        );
        self.line(&head)
    }

    pub(super) fn case(&mut self, case: &'static str) {
        self.case = case;
    }

    pub(super) fn figure(&mut self, what: &str, figure: f64, unit: &str, target: Target) -> Result<()> {
        let (bound, verdict) = (target.text(), target.verdict(figure));
        self.line(&format!("| {} | {what} | {} | {unit} | {bound} | {verdict} |", self.case, short(figure)))
    }

    fn line(&mut self, line: &str) -> Result<()> {
        let written = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
        written.map_err(|error| Error::io("writing the report", error))
    }
}

/// Three digits that matter, and a letter for thousands or millions.
fn short(figure: f64) -> String {
    let (scaled, letter) = match figure.abs() {
        size if size >= 1e6 => (figure / 1e6, " M"),
        size if size >= 1e4 => (figure / 1e3, " k"),
        _ => (figure, ""),
    };
    let digits = match scaled.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{scaled:.digits$}{letter}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        for (figure, text) in
            [(0.854, "0.85"), (823.4, "823"), (9_876.0, "9876"), (12_340.0, "12.3 k"), (3.2e6, "3.20 M")]
        {
            assert_eq!(short(figure), text);
        }
    }

    #[test]
    fn a_bound_that_is_only_reached_is_missed() {
        assert_eq!(Target::Over(3.0).verdict(3.0), "MISSED");
        assert_eq!(Target::Under(3.0).verdict(2.9), "met");
    }
}
