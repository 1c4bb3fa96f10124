//! MessagePack bodies, read as strictly as JSON: names are texts, each given once, and what JSON
//! has no word for is refused. What a structure takes from them is then the same for both formats.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How deep a body may be nested. The library's own bound lets a small body overflow the stack of
/// its thread.
const DEPTH_MAX: usize = 32;
/// How JavaScript's msgpackr writes `undefined`: an extension of this type with one byte, 0.
const UNDEFINED: (i8, &[u8]) = (0, &[0]);

/// The one value that `body` holds.
///
/// # Errors
/// Says what was wrong, for the client.
pub(super) fn read(body: &[u8]) -> Result<Value, String> {
    let mut rest = body;
    let mut reader = rmp_serde::Deserializer::new(&mut rest);
    reader.set_max_depth(DEPTH_MAX);
    let value = Strict::deserialize(&mut reader).map_err(|error| error.to_string())?;
    if rest.is_empty() { Ok(value.0) } else { Err("the body goes on after its value".to_owned()) }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has, too")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, extension: D) -> Result<Value, D::Error> {
        let (kind, bytes) = extension.deserialize_tuple(2, Extension)?;
        if (kind, &bytes[..]) == UNDEFINED {
            return Ok(Value::Null);
        }
        Err(D::Error::custom(format!("an extension of type {kind} is no value that JSON has")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(Strict(name)) = entries.next_key()? {
            let Value::String(name) = name else {
                return Err(A::Error::custom("a name in an object must be a text"));
            };
            let Strict(value) = entries.next_value()?;
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("the name {name:?} is given twice")));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

/// The type of an extension and its bytes.
struct Extension;

impl<'de> Visitor<'de> for Extension {
    type Value = (i8, Vec<u8>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an extension")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let kind =
            parts.next_element()?.ok_or_else(|| A::Error::custom("an extension has a type"))?;
        let bytes = parts
            .next_element::<Octets>()?
            .ok_or_else(|| A::Error::custom("an extension has bytes"))?;
        Ok((kind, bytes.0))
    }
}

struct Octets(Vec<u8>);

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Copy;
        impl Visitor<'_> for Copy {
            type Value = Octets;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Octets, E> {
                Ok(Octets(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Copy)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_json_has_is_read() {
        let value = json!({"a": [1, -2, 3.5, null, true, "茶", {}], "b": u64::MAX, "c": i64::MIN});
        let body = rmp_serde::to_vec_named(&value).expect("a value can be packed");
        assert_eq!(read(&body), Ok(value));
        // {"undefined": undefined} as msgpackr writes it, and a binary32.
        assert_eq!(read(b"\x81\xa1u\xd4\x00\x00"), Ok(json!({"u": null})));
        assert_eq!(read(b"\x81\xa1f\xca\x3f\x00\x00\x00"), Ok(json!({"f": 0.5})));
    }

    #[test]
    fn what_json_has_not_is_refused() {
        for (body, part) in [
            (&b"\x82\x00\xa1p\x01\x01"[..], "name in an object must be a text"),
            (b"\x81\xc4\x01a\x01", "byte array"),
            (b"\x81\xa1a\xc4\x01x", "byte array"),
            (b"\x82\xa1a\x01\xa1a\x02", "given twice"),
            (b"\x81\xa1a\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", "finite"),
            (b"\x81\xa1a\xd6\xff\x00\x00\x00\x00", "extension of type -1"),
            (b"\x81\xa1a\x01\x01", "goes on"),
            (b"\x81\xa1a\xa1\xff", "utf-8"),
        ] {
            let why = read(body).expect_err("it must be refused");
            assert!(why.contains(part), "{body:02x?}: {why}");
        }
    }
}
