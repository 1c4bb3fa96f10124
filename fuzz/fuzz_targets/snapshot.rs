//! Arbitrary parts of a snapshot with whole checksums load, or are refused as corrupt. Never a
//! panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockhold::ErrorKind;
use stockhold::test_util::load_part;

fuzz_target!(|input: &[u8]| {
    let Some((part, bytes)) = input.split_first() else { return };
    if let Err(error) = load_part(usize::from(*part), bytes) {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
});
