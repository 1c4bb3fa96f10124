//! What may be done with the tables, as the mirror's own table says.

use super::fault::Fault;

/// What may be done with the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// They follow the journal.
    Following,
    /// A reload is emptying them.
    Emptying,
    /// A reload fills them.
    Loading,
    /// A part of them was lost and is there again, empty.
    Incomplete,
}

impl Phase {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Following => "following",
            Self::Emptying => "emptying",
            Self::Loading => "loading",
            Self::Incomplete => "incomplete",
        }
    }

    pub(super) fn parse(name: &str) -> Result<Self, Fault> {
        [Self::Following, Self::Emptying, Self::Loading, Self::Incomplete]
            .into_iter()
            .find(|phase| phase.name() == name)
            .ok_or_else(|| {
                Fault::Misconfigured(format!(
                    "mirror_state.phase is {name:?}, which no version writes"
                ))
            })
    }
}
