//! What is said, in this order. A message of a later version that this one does not know ends the talk.

use serde::{Deserialize, Serialize};

/// The version of what is said. Another one is refused before anything is done.
pub(crate) const PROTOCOL: u32 = 1;

/// What one says to the other.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(tag = "message", rename_all = "camelCase")]
pub(crate) enum Message {
    /// The successor: who it is, and what it writes.
    #[serde(rename_all = "camelCase")]
    Hello { protocol: u32, program: String, formats: Vec<Format> },
    /// The predecessor: where it listens. The sockets come with it, in the same order.
    #[serde(rename_all = "camelCase")]
    Welcome { program: String, doors: Vec<Door>, watchdog_us: Option<u64> },
    /// The predecessor: why not.
    #[serde(rename_all = "camelCase")]
    Refused { why: String },
    /// The successor has read what there is, and is ready.
    Switch,
    /// The predecessor has given up the directory.
    Yours,
    /// The predecessor: what it left there.
    Left(Left),
    /// The predecessor has closed its history as well.
    Closed,
    /// The successor serves. There is no way back.
    Serving,
}

/// A kind of file, and the version that is written.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Format {
    pub(crate) name: String,
    pub(crate) version: u32,
}

/// A socket that clients connect to.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Door {
    /// The place that was asked for; `None` where somebody else made the socket.
    pub(crate) asked: Option<String>,
    /// The one that it has.
    pub(crate) place: String,
    /// Whether it is for operators alone.
    pub(crate) for_operators: bool,
    /// Whether the path of a Unix socket is the server's, which removes it at the end.
    pub(crate) is_own: bool,
}

/// What was left in the directory.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Left {
    pub(crate) last_seq: u64,
    /// What tells the last event from others with its number.
    pub(crate) salt: Option<u64>,
    pub(crate) crc: Option<u32>,
    /// What tells the ledger from any other, in hexadecimal digits; `None` where nobody knows that of
    /// what is in the files.
    pub(crate) digest: Option<String>,
}

impl Left {
    /// Whether this is what was `found`, as far as it is known.
    pub(crate) fn agrees_with(&self, found: &Self) -> bool {
        let Self { last_seq, salt, crc, digest } = self;
        let same_end = (last_seq, salt, crc) == (&found.last_seq, &found.salt, &found.crc);
        same_end && digest.as_ref().is_none_or(|it| found.digest.as_ref() == Some(it))
    }
}
