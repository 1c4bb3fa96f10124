//! Numbers as a client wrote them. A number that no type of ours holds exactly is refused, never
//! rounded.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::Number;
use serde_json::value::RawValue;

/// The longest number that is read, in characters; the exact decimal form of any useful one is far
/// shorter.
const LENGTH_MAX: usize = 400;

/// What a decimal number is worth: `±digits × 10^exponent`, without zeros at either end of the
/// digits.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Reads a number in JSON's syntax. `None` for anything else, and for a number too long to be
    /// meant.
    fn read(text: &str) -> Option<Self> {
        if text.len() > LENGTH_MAX || !text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            return None;
        }
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let exponent: i64 = exponent.parse().ok()?;
        let significant = all.trim_end_matches('0');
        let dropped = i64::try_from(all.len() - significant.len()).ok()?;
        let exponent =
            exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(dropped)?;
        let digits = significant.trim_start_matches('0').to_owned();
        // Zero is zero, whatever its exponent.
        let exponent = if digits.is_empty() { 0 } else { exponent };
        Some(Self { negative, digits, exponent })
    }

    /// The number as a whole one, when it is one that an `i128` holds.
    fn whole(&self) -> Option<i128> {
        let digits: i128 = if self.digits.is_empty() { 0 } else { self.digits.parse().ok()? };
        let scale = 10_i128.checked_pow(u32::try_from(self.exponent).ok()?)?;
        let value = digits.checked_mul(scale)?;
        Some(if self.negative { -value } else { value })
    }
}

/// The number that `text` writes, when it is exactly one that we keep: a whole number of 64 bits,
/// or a binary64 whose shortest decimal form is worth the same.
pub(crate) fn exact(text: &str) -> Option<Number> {
    if let Ok(number) = text.parse::<u64>() {
        return Some(number.into());
    }
    if let Ok(number) = text.parse::<i64>()
        && number != 0
    {
        return Some(number.into());
    }
    let written = Decimal::read(text)?;
    let number: f64 = text.parse().ok()?;
    let kept = Decimal::read(&format!("{number:e}"))?;
    (kept == written).then(|| Number::from_f64(number)).flatten()
}

/// A whole number in a request: `437`, and `437.0` or `4.37e2`, which some libraries write for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole<T>(pub(crate) T);

/// A whole number of at most 2^53 where it is written as a float: for what may be read from a value
/// that was read before, and has no text any more.
struct Plain<T>(T);

impl<'de, T: TryFrom<i128>> Deserialize<'de> for Plain<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number<T>(PhantomData<T>);
        impl<T: TryFrom<i128>> Visitor<'_> for Number<T> {
            type Value = Plain<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number within its bounds")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Plain<T>, E> {
                within(number.into())
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Plain<T>, E> {
                within(number.into())
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Plain<T>, E> {
                let is_exact = number.fract() == 0.0 && number.abs() <= EXACT_MAX;
                match is_exact {
                    true => within(number as i128),
                    false => Err(E::custom("it must be a whole number within its bounds")),
                }
            }
        }
        deserializer.deserialize_any(Number(PhantomData))
    }
}

/// Every whole number up to here is a binary64 of its own.
const EXACT_MAX: f64 = (1_u64 << 53) as f64;

fn within<T: TryFrom<i128>, E: Error>(number: i128) -> Result<Plain<T>, E> {
    let number = T::try_from(number);
    number.map(Plain).map_err(|_| E::custom("it must be a whole number within its bounds"))
}

/// A field that is a whole number.
pub(crate) fn whole<'de, D: Deserializer<'de>, T: TryFrom<i128>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Plain::deserialize(deserializer).map(|Plain(number)| number)
}

/// A field that is a whole number, null or absent.
pub(crate) fn maybe<'de, D: Deserializer<'de>, T: TryFrom<i128>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let number = Option::<Plain<T>>::deserialize(deserializer)?;
    Ok(number.map(|Plain(number)| number))
}

/// A field that is a list of whole numbers, null or absent.
pub(crate) fn list<'de, D: Deserializer<'de>, T: TryFrom<i128>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    let numbers = Option::<Vec<Plain<T>>>::deserialize(deserializer)?;
    Ok(numbers.map(|numbers| numbers.into_iter().map(|Plain(number)| number).collect()))
}

impl<'de, T: TryFrom<i128>> Deserialize<'de> for Whole<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let whole = Decimal::read(text.get()).as_ref().and_then(Decimal::whole);
        let fitting = whole.and_then(|whole| T::try_from(whole).ok());
        fitting
            .map(Self)
            .ok_or_else(|| D::Error::custom("it must be a whole number within its bounds"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_back_as_it_was_sent_or_not_at_all() {
        for (sent, kept) in [
            ("117.63331139400017", Some("117.63331139400017")),
            ("0.1", Some("0.1")),
            ("1.10", Some("1.1")),
            ("1e2", Some("100.0")),
            ("-0", Some("-0.0")),
            ("-0.0", Some("-0.0")),
            ("0", Some("0")),
            ("-7", Some("-7")),
            ("18446744073709551615", Some("18446744073709551615")),
            ("-9223372036854775808", Some("-9223372036854775808")),
            ("1e22", Some("1e+22")),
            ("2.2250738585072014e-308", Some("2.2250738585072014e-308")),
            ("5e-324", Some("5e-324")),
            // Nothing of ours holds these.
            ("0.10000000000000001", None),
            ("18446744073709551617", None),
            ("9007199254740993.0", None),
            ("1e400", None),
            ("1e-400", None),
            ("1.7976931348623159e308", None),
        ] {
            assert_eq!(exact(sent).map(|number| number.to_string()).as_deref(), kept, "{sent}");
        }
    }

    #[test]
    fn a_whole_number_may_be_written_as_a_float() {
        let read = |text: &str| serde_json::from_str::<Whole<u64>>(text).ok().map(|whole| whole.0);
        for (text, want) in [
            ("437", Some(437)),
            ("437.0", Some(437)),
            ("4.37e2", Some(437)),
            ("43700e-2", Some(437)),
            ("9007199254740993.0", Some((1 << 53) + 1)),
            ("-0", Some(0)),
            ("0e999999999999", Some(0)),
            ("437.5", None),
            ("-1", None),
            ("1e20", None),
            ("1e999999999999", None),
            ("1e99999999999999999999", None),
            ("\"437\"", None),
            ("true", None),
            ("null", None),
            ("[437]", None),
        ] {
            assert_eq!(read(text), want, "{text}");
        }
        assert!(
            serde_json::from_str::<Whole<i64>>("-3.0").is_ok_and(|whole| whole.0 == -3),
            "signed, too"
        );
    }
}
