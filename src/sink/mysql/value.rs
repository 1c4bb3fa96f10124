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
}
