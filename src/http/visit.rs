//! By which door a client came, and from where.

use super::guests::Address;

/// What is served at a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// All of it: operators have no listener of their own.
    Everything,
    /// What is not for operators alone.
    Users,
    /// What is for operators, and how the server is.
    Operators,
}

/// How a client came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    pub(super) address: Address,
    pub(super) offer: Offer,
}

impl Visit {
    /// Whether bounds of each address hold for it.
    pub(super) fn is_bounded(self) -> bool {
        match self.offer {
            Offer::Everything | Offer::Users => self.address.is_bounded(),
            Offer::Operators => false,
        }
    }
}
