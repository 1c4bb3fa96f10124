//! Arbitrary bytes are an event or a `Corrupt` error, never a panic; an event that decodes survives
//! a round trip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockhold::test_util::{decode_event, encode_event};

fuzz_target!(|input: &[u8]| {
    let Some((kind, payload)) = input.split_first() else { return };
    match decode_event(u16::from(*kind), payload) {
        Ok(event) => {
            let (kind, bytes) = encode_event(&event);
            assert_eq!(decode_event(kind, &bytes).expect("what was encoded decodes"), event);
        }
        Err(error) => assert_eq!(error.kind(), stockhold::ErrorKind::Corrupt),
    }
});
