//! Objects that a request carries for others, such as a delivery's details: kept as they were sent,
//! or refused.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::decimal;
use crate::mall::model::{Violation, member};

/// The deepest nesting that is read; the mall's own bounds are lower.
const DEPTH_MAX: usize = 32;

/// An object whose names are each given once, and whose numbers are kept exactly.
#[derive(Debug)]
pub(super) struct Document(pub(super) Map<String, Value>);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        object(&raw).map(Self).map_err(|Violation { path, why }| {
            // Whoever it is a part of knows where it is.
            match path.trim_start_matches('$').trim_start_matches('.') {
                "" => D::Error::custom(why),
                path => D::Error::custom(format_args!("{path}: {why}")),
            }
        })
    }
}

/// The object that `raw` writes.
///
/// # Errors
/// Why it cannot be kept as it is.
pub(crate) fn object(raw: &RawValue) -> Result<Map<String, Value>, Violation> {
    match read(raw, "$", DEPTH_MAX)? {
        Value::Object(members) => Ok(members),
        _ => Err(Violation::new("$", "it must be an object")),
    }
}

/// The value that `raw`, at `path`, writes, or why it cannot be kept as it is.
fn read(raw: &RawValue, path: &str, depth: usize) -> Result<Value, Violation> {
    let text = raw.get();
    let wrong = |why: Cow<'static, str>| Violation::new(path, why);
    let unreadable = |error: serde_json::Error| wrong(error.to_string().into());
    match text.bytes().next() {
        Some(b'{' | b'[') if depth == 0 => {
            Err(wrong(format!("it is nested deeper than {DEPTH_MAX} levels").into()))
        }
        Some(b'{') => {
            let entries: Entries<'_> = serde_json::from_str(text).map_err(unreadable)?;
            let mut object = Map::new();
            for (name, value) in entries.0 {
                let value = read(value, &member(path, &name), depth - 1)?;
                if object.contains_key(&name) {
                    return Err(wrong(format!("the name {name:?} is given twice").into()));
                }
                object.insert(name, value);
            }
            Ok(Value::Object(object))
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(unreadable)?;
            let item = |(index, item)| read(item, &format!("{path}[{index}]"), depth - 1);
            items.into_iter().enumerate().map(item).collect::<Result<_, _>>().map(Value::Array)
        }
        Some(b'-' | b'0'..=b'9') => {
            let number = decimal::exact(text).map(Value::Number);
            number.ok_or_else(|| {
                let shown: String = text.chars().take(40).collect();
                wrong(
                    format!("the number {shown} cannot be kept exactly: send it as a text").into(),
                )
            })
        }
        _ => serde_json::from_str(text).map_err(unreadable),
    }
}

/// The entries of an object in their order, doubled names included.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(sent: &str) -> Result<String, String> {
        let document: Document = serde_json::from_str(sent).map_err(|error| error.to_string())?;
        Ok(serde_json::to_string(&document.0).expect("a document is JSON"))
    }

    #[test]
    fn a_document_is_kept_as_it_was_sent() {
        for sent in [
            r#"{}"#,
            r#"{"lat":117.63331139400017,"n":[1,2.5,-3,1.0,null,true,"é"],"o":{"a":{"b":[]}}}"#,
            r#"{"big":18446744073709551615,"small":-9223372036854775808}"#,
            "{\"c\":\"\\u0000\\u001f\u{7f}😀\"}",
        ] {
            assert_eq!(kept(sent).as_deref(), Ok(sent));
        }
    }

    #[test]
    fn what_cannot_be_kept_is_named() {
        let deep = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
        for (sent, part) in [
            (r#"{"a":1,"a":1}"#, "\"a\" is given twice"),
            (r#"{"o":{"a":1,"\u0061":2}}"#, "o: the name \"a\" is given twice"),
            (r#"{"a":[0.10000000000000001]}"#, "a[0]: the number 0.10000000000000001 cannot be"),
            (r#"{"a":1e400}"#, "1e400 cannot"),
            (r#"[]"#, "must be an object"),
            (&deep, "nested deeper"),
        ] {
            let why = kept(sent).expect_err(sent);
            assert!(why.contains(part), "{sent}: {why}");
        }
    }
}
