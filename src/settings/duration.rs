//! Durations as people write them.

use crate::base::error::{Error, Result};

const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The milliseconds of a duration such as `15m`, `90s`, `250ms`, `1h` or `2d`.
pub(crate) fn parse_ms(text: &str) -> Result<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|&(_, factor)| factor);
    let ms = number
        .parse::<u64>()
        .ok()
        .zip(factor)
        .and_then(|(number, factor)| number.checked_mul(factor));
    ms.ok_or_else(|| {
        Error::invalid(format!(
            "{text:?} is no duration: write a number and ms, s, m, h or d, as in 15m"
        ))
    })
}

/// Milliseconds in the largest unit that they are a multiple of: what [`parse_ms`] reads.
pub(crate) fn shown(ms: u64) -> String {
    let unit = UNITS.iter().rev().find(|(_, factor)| ms > 0 && ms.is_multiple_of(*factor));
    let (unit, factor) = unit.unwrap_or(&UNITS[0]);
    format!("{}{unit}", ms / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_strictly() {
        for (text, ms) in [
            ("15m", 900_000),
            ("90s", 90_000),
            ("250ms", 250),
            ("1h", 3_600_000),
            ("2d", 172_800_000),
        ] {
            assert_eq!(parse_ms(text).ok(), Some(ms), "{text}");
        }
        for (ms, text) in [(0, "0ms"), (10, "10ms"), (300_000, "5m"), (31_622_400_000, "366d")] {
            assert_eq!(shown(ms), text);
        }
        for wrong in [
            "",
            "15",
            "m",
            "-1m",
            "1.5h",
            "1 m",
            "15M",
            "99999999999999999999d",
            "999999999999999d",
        ] {
            assert!(parse_ms(wrong).is_err(), "{wrong:?} must be refused");
        }
    }
}
