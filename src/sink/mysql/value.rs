//! Values on their way into the database and back.

use mysql_async::Value;
use serde::Serialize;

/// A value as a text: the same for what was written and for what is read.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::NULL => "null".to_owned(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        other => other.as_sql(true),
    }
}

/// A value as JSON; what cannot be written is null.
pub(super) fn json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// JSON in one way of writing it: some servers keep the text, and others give it back with spaces and
/// with the keys in an order of their own. `None` when it is none.
pub(super) fn plain_json(text: &str) -> Option<String> {
    let mut value: serde_json::Value = serde_json::from_str(text).ok()?;
    value.sort_all_objects();
    Some(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::time;
    use super::*;

    #[test]
    fn what_is_written_and_what_is_read_are_one_text() {
        for (written, read) in [
            (Value::UInt(7), Value::Int(7)),
            (Value::from(true), Value::Int(1)),
            (Value::from("tea"), Value::Bytes(b"tea".to_vec())),
            (time::datetime(1_750_000_000_123), Value::Date(2025, 6, 15, 15, 6, 40, 123_000)),
        ] {
            assert_eq!(text(&written), text(&read));
        }
    }

    #[test]
    fn json_is_one_text_however_a_server_writes_it() {
        let written = r#"[{"productId":"tea","quantity":2},null]"#;
        let read = r#"[{"quantity": 2, "productId": "te\u0061"}, null]"#;
        assert_eq!(plain_json(written), plain_json(read));
        assert_eq!(plain_json(written).as_deref(), Some(written), "its keys are in order");
        assert_ne!(plain_json(written), plain_json(&written.replace('2', "3")));
        assert_eq!(plain_json("tea"), None);
    }
}
