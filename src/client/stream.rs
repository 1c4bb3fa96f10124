//! Server-sent events, taken apart: what the HTML standard has under "Interpreting an event stream",
//! as far as our server writes it.

/// The longest event that is read, in bytes.
const EVENT_BYTES_MAX: usize = 4 << 20;

/// One event of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// Its name; empty for one without.
    pub(super) name: String,
    pub(super) data: String,
}

/// Takes a stream apart as it comes.
#[derive(Debug, Default)]
pub(super) struct Parser {
    rest: Vec<u8>,
    message: Message,
    has_data: bool,
}

impl Parser {
    /// Takes what came, and gives the events that are whole by it.
    ///
    /// # Errors
    /// When it is no text, or an event is too long.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Message>, &'static str> {
        self.rest.extend_from_slice(bytes);
        let mut whole = Vec::new();
        let mut from = 0;
        while let Some(length) = self.rest[from..].iter().position(|byte| *byte == b'\n') {
            let line = &self.rest[from..from + length];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let line = std::str::from_utf8(line).map_err(|_| "the stream is no text")?;
            from += length + 1;
            if line.is_empty() {
                let message = std::mem::take(&mut self.message);
                whole.extend(std::mem::take(&mut self.has_data).then_some(message));
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => self.message.name = value.to_owned(),
                "data" => {
                    if self.has_data {
                        self.message.data.push('\n');
                    }
                    self.message.data.push_str(value);
                    self.has_data = true;
                }
                // A comment, an id (which the data has, too), or what nobody knows.
                _ => {}
            }
        }
        self.rest.drain(..from);
        match self.rest.len() + self.message.data.len() > EVENT_BYTES_MAX {
            true => Err("an event is too long"),
            false => Ok(whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str, data: &str) -> Message {
        Message { name: name.into(), data: data.into() }
    }

    #[test]
    fn events_are_found_wherever_the_stream_is_cut() {
        let stream = ":\n\nid: 7\ndata: {\"seq\":7}\n\nevent: end\ndata: a\ndata: b\r\n\r\n:x\n\nid: 8\n\ndata:八\n\ndata: half";
        let expected = [message("", "{\"seq\":7}"), message("end", "a\nb"), message("", "八")];
        for size in 1..stream.len() {
            let mut parser = Parser::default();
            let mut found = Vec::new();
            for piece in stream.as_bytes().chunks(size) {
                found.extend(parser.take(piece).expect("it is a stream"));
            }
            assert_eq!(found, expected, "in pieces of {size}");
        }
        assert!(Parser::default().take(b"data: \xff\n").is_err());
        let mut parser = Parser::default();
        assert!(parser.take(&vec![b'x'; EVENT_BYTES_MAX + 1]).is_err());
    }
}
