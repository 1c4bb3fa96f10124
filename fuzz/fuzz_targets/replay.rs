//! Arbitrary events with whole checksums, as a forger or a bug would leave them: they apply, and
//! every account adds up, or they are refused as corrupt. Never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockhold::ErrorKind;
use stockhold::test_util::replay;

/// A kind, a length of two bytes, and so many bytes of payload; again and again.
fn frames(mut input: &[u8]) -> Vec<(u16, &[u8])> {
    let mut frames = Vec::new();
    while let [kind, low, high, rest @ ..] = input {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (payload, next) = rest.split_at(length);
        frames.push((u16::from(*kind), payload));
        input = next;
    }
    frames
}

fuzz_target!(|input: &[u8]| {
    match replay(&frames(input)) {
        Ok(levels) => {
            for level in levels {
                let out = i128::from(level.reserved)
                    + i128::from(level.consumed)
                    + i128::from(level.written_off);
                assert_eq!(
                    i128::from(level.available) + out,
                    i128::from(level.received),
                    "{level:?}"
                );
            }
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
    }
});
