//! What callers may be.

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// Sees and changes what is its own.
    User,
    /// Does what a user may, in the name of the user that each request names.
    Service,
    /// Also changes stock and points, and carries orders on.
    Operator,
    /// Also looks after the server itself.
    Admin,
    /// Reads the server's numbers, and nothing else: for whatever watches it.
    Monitor,
}

impl Role {
    pub(in crate::http) const ALL: &[Self] =
        &[Self::User, Self::Service, Self::Operator, Self::Admin, Self::Monitor];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Service => "service",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Monitor => "monitor",
        }
    }

    /// Whether its requests are not counted against any limit: it is trusted to know what it does.
    pub(in crate::http) fn is_trusted(self) -> bool {
        match self {
            Self::User | Self::Service | Self::Monitor => false,
            Self::Operator | Self::Admin => true,
        }
    }

    pub(super) fn parse(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("user") => Some(Self::User),
            Some("service") => Some(Self::Service),
            Some("operator") => Some(Self::Operator),
            Some("admin") => Some(Self::Admin),
            Some("monitor") => Some(Self::Monitor),
            Some(_) => None,
        }
    }
}
