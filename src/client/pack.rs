//! MessagePack: what is sent and read as JSON elsewhere, packed. What a body says is the same in both, as
//! JSON has it.

use serde_json::Value;

/// As the server names it.
pub(super) const MESSAGEPACK: &str = "application/msgpack";

/// A body of JSON, packed.
///
/// # Errors
/// Says what was wrong.
pub(super) fn packed(json: &[u8]) -> Result<Vec<u8>, String> {
    let value: Value = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    rmp_serde::to_vec_named(&value).map_err(|error| error.to_string())
}

/// What is packed, as JSON.
///
/// # Errors
/// Says what was wrong.
pub(super) fn unpacked(packed: &[u8]) -> Result<Vec<u8>, String> {
    let value: Value = rmp_serde::from_slice(packed).map_err(|error| error.to_string())?;
    serde_json::to_vec(&value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_says_the_same() {
        let json = br#"{"a":[1,-2,3.5,null,true,"\u8336",{}],"b":18446744073709551615}"#;
        let there = packed(json).expect("it can be packed");
        assert!(there.len() < json.len());
        let back = unpacked(&there).expect("it can be unpacked");
        let value = |body: &[u8]| serde_json::from_slice::<Value>(body).expect("JSON");
        assert_eq!(value(&back), value(json));
        assert!(packed(b"{").is_err() && unpacked(b"\x81").is_err());
    }
}
