//! Of all tokens only the one that was issued is let in.
#![no_main]

#[path = "../shop/mod.rs"]
mod shop;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // What ends a header's line is another request, which is not meant here.
    let token: Vec<u8> =
        input.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let mut request =
        b"GET /api/points/balance HTTP/1.1\r\nhost: stockhold\r\nconnection: close\r\nauthorization: Bearer ".to_vec();
    request.extend_from_slice(&token);
    request.extend_from_slice(b"\r\n\r\n");
    let issued = token.trim_ascii() == shop::shop().admin.as_bytes();
    assert_eq!(shop::status(&request) == 200, issued);
});
