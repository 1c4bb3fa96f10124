//! When a certificate ends: RFC 5280, 4.1. rustls tells nobody, and a whole parser of certificates is
//! large for one field of one file that an operator wrote.

use std::time::{Duration, UNIX_EPOCH};

use crate::base::TimeMs;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
/// The version, which stands in a tag of its own.
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// When a certificate in DER ends, in milliseconds since 1970.
pub(super) fn ends_at(der: &[u8]) -> Option<TimeMs> {
    let (certificate, _) = take(der, SEQUENCE)?;
    let (signed, _) = take(certificate, SEQUENCE)?;
    // Certificates of the first version do not say which they are.
    let rest = take(signed, VERSION).map_or(signed, |(_, rest)| rest);
    let (_serial, rest) = take(rest, INTEGER)?;
    let (_algorithm, rest) = take(rest, SEQUENCE)?;
    let (_issuer, rest) = take(rest, SEQUENCE)?;
    let (validity, _) = take(rest, SEQUENCE)?;
    let (_, _, not_after) = element(validity)?;
    let (tag, text, _) = element(not_after)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// What is in the first element, and what follows it, if it is of this kind.
fn take(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, inside, rest) = element(der)?;
    (tag == wanted).then_some((inside, rest))
}

/// The kind of the first element, what is in it, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
            (length, rest)
        }
        // Without an end, or of more than 16 MiB.
        _ => return None,
    };
    let (inside, rest) = rest.split_at_checked(length)?;
    Some((tag, inside, rest))
}

fn time(tag: u8, text: &str) -> Option<TimeMs> {
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let century = if year < "50" { "20" } else { "19" };
            (format!("{century}{year}"), rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.to_owned(), rest)
        }
        _ => return None,
    };
    let rest = rest.strip_suffix('Z').filter(|rest| rest.len() == 10 && rest.is_ascii())?;
    let (month, day) = (&rest[..2], &rest[2..4]);
    let (hour, minute, second) = (&rest[4..6], &rest[6..8], &rest[8..]);
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    let at = humantime::parse_rfc3339(&text).ok()?;
    let since: Duration = at.duration_since(UNIX_EPOCH).ok()?;
    since.as_millis().try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn made(year: i32, month: u8, day: u8) -> Vec<u8> {
        let mut params = CertificateParams::new(["shop.example".to_owned()]).expect("a name");
        params.not_after = date_time_ymd(year, month, day);
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn the_end_is_read_in_both_forms() {
        for (year, month, day, expected_s) in [
            (2027, 3, 1, 1_803_859_200_u64),
            (2049, 12, 31, 2_524_521_600),
            // From 2050 on it is written in the other form.
            (2050, 1, 1, 2_524_608_000),
            (4096, 1, 1, 67_090_118_400),
        ] {
            let der = made(year, month, day);
            assert_eq!(ends_at(&der), Some(expected_s * 1_000), "{year}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_bad_to_be_looked_at(
            bytes in prop::collection::vec(any::<u8>(), 0..64),
            at in any::<prop::sample::Index>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let _ = ends_at(&bytes);
            let mut der = made(2049, 12, 31);
            let at = at.index(der.len());
            der[at] ^= bytes.first().copied().unwrap_or(1);
            der.truncate(cut.index(der.len() + 1));
            let _ = ends_at(&der);
        }
    }
}
