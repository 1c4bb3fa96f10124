//! What the mall keeps with a place in the line for a product, and why one was given up.

use serde::{Deserialize, Serialize};

use crate::base::PLACE_BYTES_MAX;

const VERSION: u8 = 1;

/// What a place keeps besides whose it is: a byte of the version, then a MessagePack array. New fields
/// go to the end with a default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlaceDetails {
    /// The service that took it for its user.
    pub(crate) service: Option<String>,
}

impl PlaceDetails {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let write = |details: &Self| {
            let mut body = vec![VERSION];
            rmp_serde::encode::write(&mut body, details).expect("it has no map keys");
            body
        };
        let body = write(self);
        // A name that has no room there is left out.
        if body.len() <= PLACE_BYTES_MAX { body } else { write(&Self::default()) }
    }

    /// What was kept; nothing where the mall did not write it.
    pub(crate) fn read(body: &[u8]) -> Self {
        let details = body.strip_prefix(&[VERSION]);
        details.and_then(|details| rmp_serde::from_slice(details).ok()).unwrap_or_default()
    }
}

/// Why somebody left a line without getting anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parting {
    /// They wanted no more.
    Left,
    /// It was their turn, and they had too few points, or in more lots than one order takes.
    LackedPoints,
    /// It was their turn, and they may have no more of the product, or no more orders that wait.
    AtLimit,
}

impl Parting {
    const ALL: [Self; 3] = [Self::Left, Self::LackedPoints, Self::AtLimit];

    /// As it is written, and told.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::LackedPoints => "lackedPoints",
            Self::AtLimit => "atLimit",
        }
    }

    /// What was written; `None` where the mall did not write it.
    #[cfg_attr(not(feature = "mysql"), allow(dead_code, reason = "the mall's views read it"))]
    pub(crate) fn read(note: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|parting| parting.name() == note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_place_keeps_keeps_its_bytes() {
        for (service, bytes) in [(None, &b"\x01\x91\xc0"[..]), (Some("till"), b"\x01\x91\xa4till")]
        {
            let details = PlaceDetails { service: service.map(str::to_owned) };
            assert_eq!(details.encode(), bytes);
            assert_eq!(PlaceDetails::read(bytes), details);
        }
        for foreign in [&b""[..], b"\x02\x91\xc0", b"note"] {
            assert_eq!(PlaceDetails::read(foreign), PlaceDetails::default());
        }
        let long = PlaceDetails { service: Some("x".repeat(PLACE_BYTES_MAX)) };
        assert_eq!(PlaceDetails::read(&long.encode()), PlaceDetails::default());
    }

    #[test]
    fn why_a_place_was_given_up_keeps_its_name() {
        let names = Parting::ALL.map(Parting::name);
        assert_eq!(names, ["left", "lackedPoints", "atLimit"]);
        assert_eq!(names.map(Parting::read), Parting::ALL.map(Some));
        assert_eq!(Parting::read("had enough"), None);
    }
}
