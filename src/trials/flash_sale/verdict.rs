//! Whether the books balance.

use std::fmt;

use super::load::Report;
use super::shop::Books;

pub(super) struct Verdict {
    rows: Vec<(&'static str, String)>,
    broken: Vec<String>,
}

impl Verdict {
    /// Whether every invariant holds.
    pub(super) fn holds(&self) -> bool {
        self.broken.is_empty()
    }
}

/// Compares what the crowd saw with what the accounts say. A request without a clear answer may
/// have sold one unit, or none; everything else must add up exactly.
pub(super) fn judge(before: &Books, after: &Books, report: &Report) -> Verdict {
    let there = before.available.max(0) as u64;
    let (sold, at_most) = (report.sold, report.sold + report.unclear);
    let booked = i128::from(after.consumed) - i128::from(before.consumed);
    let taken = i128::from(before.available) - i128::from(after.available);
    let spent = before.points - after.points;
    let oversold = sold.saturating_sub(there);

    let mut broken = Vec::new();
    let mut check = |holds: bool, what: String| {
        if !holds {
            broken.push(what);
        }
    };
    check(oversold == 0, format!("{oversold} units were sold that were not there"));
    check(after.available >= 0, format!("{} units are available", after.available));
    check(booked == taken, format!("{taken} units left the stock, {booked} are booked as sold"));
    check(
        (i128::from(sold)..=i128::from(at_most)).contains(&booked),
        format!(
            "{booked} units are booked as sold, buyers were told {sold} (and {} unclear)",
            report.unclear
        ),
    );
    check(
        spent == booked * i128::from(before.price),
        format!("{spent} points were spent on {booked} units at {}", before.price),
    );
    check(
        report.sold_out == 0 || after.available <= 0,
        format!(
            "{} units are left, though {} buyers were told there are none",
            after.available, report.sold_out
        ),
    );
    check(before.price == after.price, "the price changed during the sale".into());

    let ms = |us: u64| format!("{:.2} ms", us as f64 / 1_000.0);
    let requests = sold + report.refused + report.unclear;
    let mut rows = vec![
        ("requests", requests.to_string()),
        ("sold", sold.to_string()),
        ("refused", report.refused.to_string()),
        ("unclear", report.unclear.to_string()),
        ("oversold", oversold.to_string()),
        ("points", format!("{} before = {} after + {} spent", before.points, after.points, spent)),
        ("p50", ms(report.latency.value_at_quantile(0.5))),
        ("p99", ms(report.latency.value_at_quantile(0.99))),
        ("max", ms(report.latency.max())),
        ("requests/s", format!("{:.0}", requests as f64 / report.elapsed.as_secs_f64().max(1e-9))),
    ];
    if let Some(example) = &report.example {
        rows.push(("for example", example.clone()));
    }
    Verdict { rows, broken }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        for (name, value) in &self.rows {
            writeln!(f, "  {name:<12} {value}")?;
        }
        writeln!(f)?;
        if self.holds() {
            return write!(f, "OK: nothing was oversold, and every point is accounted for.");
        }
        for broken in &self.broken {
            writeln!(f, "BROKEN: {broken}")?;
        }
        write!(f, "The books do not balance.")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hdrhistogram::Histogram;

    use super::*;

    fn report(sold: u64, refused: u64, unclear: u64) -> Report {
        let latency = Histogram::new_with_bounds(1, 1_000, 3).expect("valid bounds");
        Report {
            sold,
            refused,
            sold_out: refused,
            unclear,
            example: None,
            elapsed: Duration::from_secs(1),
            latency,
        }
    }

    fn books(available: i64, consumed: u64, points: i128) -> Books {
        Books { available, consumed, points, price: 10 }
    }

    #[test]
    fn a_sale_whose_books_balance_holds() {
        assert!(
            judge(&books(5, 2, 1_000), &books(0, 7, 950), &report(5, 3, 0)).holds(),
            "all clear"
        );
        assert!(
            judge(&books(5, 2, 1_000), &books(0, 7, 950), &report(4, 3, 1)).holds(),
            "one unclear that sold"
        );
        assert!(
            judge(&books(5, 2, 1_000), &books(3, 4, 980), &report(2, 0, 0)).holds(),
            "not sold out"
        );
    }

    #[test]
    fn each_broken_invariant_is_seen() {
        for (name, after, report) in [
            ("oversold", books(-1, 8, 940), report(6, 0, 0)),
            ("a sale that is not booked", books(1, 6, 960), report(5, 0, 0)),
            ("a sale nobody was told of", books(0, 7, 950), report(4, 0, 0)),
            ("points lost", books(0, 7, 940), report(5, 0, 0)),
            ("points invented", books(0, 7, 960), report(5, 0, 0)),
            ("stock lost", books(0, 6, 960), report(4, 0, 0)),
            ("a false refusal", books(1, 6, 960), report(4, 1, 0)),
        ] {
            assert!(!judge(&books(5, 2, 1_000), &after, &report).holds(), "{name} must be seen");
        }
    }
}
