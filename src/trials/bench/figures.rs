//! Figures, what they are held against, and the table of several runs.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// What a figure is held against.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Target {
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

    fn met(self, figure: f64) -> Option<bool> {
        match self {
            Self::Over(bound) => Some(figure > bound),
            Self::Under(bound) => Some(figure < bound),
            Self::None => None,
        }
    }
}

/// A peer or a physical limit beside a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Against {
    with: String,
    figure: f64,
    /// The measured figure divided by this one.
    ratio: f64,
}

/// One number that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    what: String,
    measured: f64,
    unit: String,
    target: Target,
    against: Vec<Against>,
}

impl Figure {
    /// Says what the same was for a peer, or what the machine allows.
    pub(super) fn against(&mut self, with: &str, figure: f64) -> &mut Self {
        self.against.push(Against { with: with.into(), figure, ratio: self.measured / figure });
        self
    }
}

/// What one run of a case measured.
#[derive(Default)]
pub(super) struct Figures(pub(super) Vec<Figure>);

impl Figures {
    pub(super) fn figure(
        &mut self,
        what: &str,
        measured: f64,
        unit: &str,
        target: Target,
    ) -> &mut Figure {
        self.0.push(Figure {
            what: what.into(),
            measured,
            unit: unit.into(),
            target,
            against: Vec::new(),
        });
        self.0.last_mut().expect("a figure was pushed")
    }
}

/// The same figure of several runs.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    case: String,
    what: String,
    unit: String,
    target: Target,
    median: f64,
    min: f64,
    max: f64,
    /// Whether the median meets the target.
    met: Option<bool>,
    against: Vec<Against>,
}

impl Row {
    /// The rows of a case from its runs, which report the same figures in the same order.
    pub(crate) fn of_runs(case: &str, runs: &[Vec<Figure>]) -> Vec<Self> {
        let count = runs.iter().map(Vec::len).min().unwrap_or(0);
        let row = |at: usize| Self::new(case, &runs.iter().map(|run| &run[at]).collect::<Vec<_>>());
        (0..count).map(row).collect()
    }

    fn new(case: &str, runs: &[&Figure]) -> Self {
        let sorted = |value: &dyn Fn(&Figure) -> f64| {
            let mut values: Vec<f64> = runs.iter().map(|figure| value(figure)).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let first = runs[0];
        let measured = sorted(&|figure| figure.measured);
        let against = first.against.iter().enumerate().map(|(at, against)| Against {
            with: against.with.clone(),
            figure: median(&sorted(&|figure| figure.against[at].figure)),
            ratio: median(&sorted(&|figure| figure.against[at].ratio)),
        });
        Self {
            case: case.into(),
            what: first.what.clone(),
            unit: first.unit.clone(),
            target: first.target,
            median: median(&measured),
            min: measured[0],
            max: measured[measured.len() - 1],
            met: first.target.met(median(&measured)),
            against: against.collect(),
        }
    }

    fn cells(&self) -> [String; 9] {
        let against = self.against.iter();
        let against: Vec<_> = against
            .map(|a| format!("{} x {} ({})", short(a.ratio), a.with, short(a.figure)))
            .collect();
        let verdict = self.met.map_or("", |met| if met { "met" } else { "MISSED" });
        [
            self.case.clone(),
            self.what.clone(),
            self.target.text(),
            short(self.median),
            short(self.min),
            short(self.max),
            self.unit.clone(),
            verdict.into(),
            against.join("; "),
        ]
    }
}

const HEAD: [&str; 9] =
    ["case", "what", "target", "measured", "min", "max", "unit", "", "compared with"];
/// Of the columns, those with numbers.
const NUMBERS: std::ops::RangeInclusive<usize> = 2..=5;

/// A table for a terminal that is Markdown as well.
pub(crate) fn table(rows: &[Row]) -> String {
    let cells: Vec<[String; 9]> = rows.iter().map(Row::cells).collect();
    let width = |column: usize| {
        let cells = cells.iter().map(|row| row[column].chars().count());
        cells.chain([HEAD[column].len(), 3]).max().unwrap_or_default()
    };
    let widths: [usize; 9] = std::array::from_fn(width);
    let mut table = line(&HEAD.map(String::from), &widths);
    for (column, width) in widths.into_iter().enumerate() {
        let end = if NUMBERS.contains(&column) { ":" } else { "-" };
        let _ = write!(table, "|-{}{end}", "-".repeat(width));
    }
    table.push_str("|\n");
    cells.iter().for_each(|row| table.push_str(&line(row, &widths)));
    table
}

fn line(cells: &[String; 9], widths: &[usize; 9]) -> String {
    let mut line = String::new();
    for (column, (cell, &width)) in cells.iter().zip(widths).enumerate() {
        let _ = match NUMBERS.contains(&column) {
            true => write!(line, "| {cell:>width$} "),
            false => write!(line, "| {cell:<width$} "),
        };
    }
    line + "|\n"
}

/// Of sorted values; of two in the middle, their mean.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
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
        for (figure, text) in [
            (0.854, "0.85"),
            (823.4, "823"),
            (9_876.0, "9876"),
            (12_340.0, "12.3 k"),
            (3.2e6, "3.20 M"),
        ] {
            assert_eq!(short(figure), text);
        }
    }

    #[test]
    fn a_bound_that_is_only_reached_is_missed() {
        assert_eq!(Target::Over(3.0).met(3.0), Some(false));
        assert_eq!(Target::Under(3.0).met(2.9), Some(true));
    }

    #[test]
    fn a_row_shows_the_median_of_its_runs() {
        let run = |measured: f64, limit: f64| {
            let mut figures = Figures::default();
            figures.figure("speed", measured, "/s", Target::Over(4.0)).against("limit", limit);
            figures.0
        };
        let rows = Row::of_runs("case", &[run(9.0, 10.0), run(2.0, 10.0), run(5.0, 20.0)]);
        let row = &rows[0];
        assert_eq!((row.min, row.median, row.max, row.met), (2.0, 5.0, 9.0, Some(true)));
        assert_eq!((row.against[0].figure, row.against[0].ratio), (10.0, 0.25));
        let table = table(&rows);
        assert_eq!(table.lines().count(), 3, "{table}");
        assert!(table.contains("0.25 x limit (10.0)"), "{table}");
    }
}
