//! Arbitrary bytes on a connection are answered or dropped: no panic, no internal error, and the
//! server goes on.
#![no_main]

#[path = "../shop/mod.rs"]
mod shop;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Some(status) = shop::first_status(input) {
        assert!(status < 500, "{status}");
    }
});
