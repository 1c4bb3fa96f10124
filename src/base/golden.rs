//! Bytes as hexadecimal digits, for the tests that hold each format to what it always was.

/// Digits; the spaces and line ends in golden text are for its readers.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes behind the digits.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    let pairs = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap_or(0)).collect()
}

/// These bytes with each of their bits flipped, one after the other.
pub(crate) fn flipped(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> + '_ {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        (bit, flipped)
    })
}

/// Sees that these bytes are the golden ones, and shows them where they are not.
#[track_caller]
pub(crate) fn check(what: &str, written: &[u8], golden: &str) {
    assert!(written == bytes(golden), "{what} is written otherwise: {}", hex(written));
}
