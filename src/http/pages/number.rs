//! Numbers, as people write them.

use crate::base::grouped;

/// A number with its digits in groups.
pub(super) fn number(number: impl Into<i128>) -> String {
    let number: i128 = number.into();
    let sign = if number < 0 { "−" } else { "" };
    sign.to_owned() + &grouped(number.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_groups() {
        for (value, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (-1234567, "−1,234,567")] {
            assert_eq!(number(value), text);
        }
    }
}
