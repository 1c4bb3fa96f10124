//! Whether the books balance.

use std::fmt;

use super::load::Heard;
use super::shop::Holdings;

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
pub(super) fn judge(before: &Holdings, after: &Holdings, heard: &Heard) -> Verdict {
    let there = before.available.max(0) as u64;
    let (sold, at_most) = (heard.sold, heard.sold + heard.unclear);
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
            heard.unclear
        ),
    );
    check(
        spent == booked * i128::from(before.price),
        format!("{spent} points were spent on {booked} units at {}", before.price),
    );
    check(
        heard.sold_out == 0 || after.available <= 0,
        format!(
            "{} units are left, though {} buyers were told there are none",
            after.available, heard.sold_out
        ),
    );
    check(before.price == after.price, "the price changed during the sale".into());

    let ms = |us: u64| format!("{:.2} ms", us as f64 / 1_000.0);
    let requests = sold + heard.refused + heard.unclear;
    let mut rows = vec![
        ("requests", requests.to_string()),
        ("sold", sold.to_string()),
        ("refused", heard.refused.to_string()),
        ("unclear", heard.unclear.to_string()),
        ("oversold", oversold.to_string()),
        ("points", format!("{} before = {} after + {} spent", before.points, after.points, spent)),
        ("p50", ms(heard.latency.value_at_quantile(0.5))),
        ("p99", ms(heard.latency.value_at_quantile(0.99))),
        ("max", ms(heard.latency.max())),
        ("requests/s", format!("{:.0}", requests as f64 / heard.elapsed.as_secs_f64().max(1e-9))),
    ];
    if let Some(example) = &heard.example {
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

    fn heard(sold: u64, refused: u64, unclear: u64) -> Heard {
        let latency = Histogram::new_with_bounds(1, 1_000, 3).expect("valid bounds");
        Heard {
            sold,
            refused,
            sold_out: refused,
            unclear,
            example: None,
            elapsed: Duration::from_secs(1),
            latency,
        }
    }

    fn holdings(available: i64, consumed: u64, points: i128) -> Holdings {
        Holdings { available, consumed, points, price: 10 }
    }

    #[test]
    fn a_sale_whose_books_balance_holds() {
        assert!(
            judge(&holdings(5, 2, 1_000), &holdings(0, 7, 950), &heard(5, 3, 0)).holds(),
            "all clear"
        );
        assert!(
            judge(&holdings(5, 2, 1_000), &holdings(0, 7, 950), &heard(4, 3, 1)).holds(),
            "one unclear that sold"
        );
        assert!(
            judge(&holdings(5, 2, 1_000), &holdings(3, 4, 980), &heard(2, 0, 0)).holds(),
            "not sold out"
        );
    }

    #[test]
    fn each_broken_invariant_is_seen() {
        for (name, after, heard) in [
            ("oversold", holdings(-1, 8, 940), heard(6, 0, 0)),
            ("a sale that is not booked", holdings(1, 6, 960), heard(5, 0, 0)),
            ("a sale nobody was told of", holdings(0, 7, 950), heard(4, 0, 0)),
            ("points lost", holdings(0, 7, 940), heard(5, 0, 0)),
            ("points invented", holdings(0, 7, 960), heard(5, 0, 0)),
            ("stock lost", holdings(0, 6, 960), heard(4, 0, 0)),
            ("a false refusal", holdings(1, 6, 960), heard(4, 1, 0)),
        ] {
            assert!(!judge(&holdings(5, 2, 1_000), &after, &heard).holds(), "{name} must be seen");
        }
    }
}
