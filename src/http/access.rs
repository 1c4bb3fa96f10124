//! Who may what: the one table of roles, and of what each may ask.
//!
//! The check of a caller follows from it; `docs/api.md` and `docs/openapi.json` are held to it by
//! tests.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use hyper::HeaderMap;

use super::auth::{Identity, Role};
use super::error::{ApiError, Code};

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody, without a token.
    Public,
    /// Whoever it is about.
    User,
    /// A service, for the user that it names: what the user alone may not.
    Service,
    /// A service or whoever runs the shop, for users that are named line by line.
    Staff,
    /// A program with accounts of its own on the ledger, which is no mall.
    Ledger,
    /// Whoever runs the shop.
    Operator,
    /// Whoever runs the server.
    Admin,
    /// Whatever watches the server, and whoever runs it or the shop.
    Monitor,
}

/// What a role may do where a route asks for an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    Nothing,
    /// Ask in its own name.
    Own,
    /// Ask in the name of the user that the request names.
    ForUser,
}

/// Listeners at which a route is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Everybodys,
    Operators,
    Both,
}

impl Access {
    pub(super) const ALL: &[Self] = &[
        Self::Public,
        Self::User,
        Self::Service,
        Self::Staff,
        Self::Ledger,
        Self::Operator,
        Self::Admin,
        Self::Monitor,
    ];

    /// The table.
    pub(super) const fn grant(self, role: Role) -> Grant {
        use Grant::{ForUser, Nothing, Own};
        match (self, role) {
            (
                Self::Public,
                Role::User | Role::Service | Role::Operator | Role::Admin | Role::Monitor,
            ) => Own,
            (Self::User | Self::Service, Role::Service) => ForUser,
            (Self::User, Role::User | Role::Operator | Role::Admin) => Own,
            (Self::User, Role::Monitor) => Nothing,
            // Operators name the user in the path.
            (Self::Service, Role::User | Role::Operator | Role::Admin | Role::Monitor) => Nothing,
            (Self::Staff, Role::Service | Role::Operator | Role::Admin) => Own,
            (Self::Staff, Role::User | Role::Monitor) => Nothing,
            (Self::Ledger, Role::Service | Role::Admin) => Own,
            (Self::Ledger, Role::User | Role::Operator | Role::Monitor) => Nothing,
            (Self::Operator, Role::Operator | Role::Admin) => Own,
            (Self::Operator, Role::User | Role::Service | Role::Monitor) => Nothing,
            (Self::Admin, Role::Admin) => Own,
            (Self::Admin, Role::User | Role::Service | Role::Operator | Role::Monitor) => Nothing,
            (Self::Monitor, Role::Operator | Role::Admin | Role::Monitor) => Own,
            (Self::Monitor, Role::User | Role::Service) => Nothing,
        }
    }

    /// At which listeners it is had, where operators have some of their own.
    pub(super) const fn at(self) -> At {
        match self {
            Self::Public | Self::User | Self::Service | Self::Ledger => At::Everybodys,
            // Services ask for it as well.
            Self::Staff => At::Both,
            Self::Operator | Self::Admin | Self::Monitor => At::Operators,
        }
    }

    /// As documents have it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Public => "everybody",
            Self::User => "user",
            Self::Service => "service",
            Self::Staff => "staff",
            Self::Ledger => "ledger",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Monitor => "monitor",
        }
    }
}

/// The header in which a service names the user that it acts for.
const ON_BEHALF_OF: &str = "x-on-behalf-of";

/// Who asks: the bearer of the request's token, or the user that it acts for.
///
/// # Errors
/// FORBIDDEN when the bearer's role may not, or acts for a user without being a service;
/// INVALID_REQUEST when a service does not say for whom.
pub(super) fn caller(
    access: Access,
    bearer: Arc<Identity>,
    headers: &HeaderMap,
) -> Result<Arc<Identity>, ApiError> {
    match access.grant(bearer.role) {
        Grant::Nothing => Err(ApiError::new(Code::Forbidden)),
        // To leave the header unread would be to act for somebody else than was asked for.
        Grant::Own if headers.contains_key(ON_BEHALF_OF) => {
            let why = match access {
                Access::Staff => "each line names its user",
                Access::Ledger => "the ledger is asked in one's own name",
                Access::Public
                | Access::User
                | Access::Service
                | Access::Operator
                | Access::Admin
                | Access::Monitor => "only a service acts for others",
            };
            Err(ApiError::new(Code::Forbidden).detail(why))
        }
        Grant::Own => Ok(bearer),
        Grant::ForUser => Ok(Arc::new(bearer.acting_for(named(headers)?)?)),
    }
}

/// The user that a service names.
fn named(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut values = headers.get_all(ON_BEHALF_OF).iter();
    let named = values.next().ok_or_else(|| {
        ApiError::invalid("a service names the user that it acts for in X-On-Behalf-Of")
    })?;
    if values.next().is_some() {
        return Err(ApiError::invalid("there is more than one X-On-Behalf-Of"));
    }
    named.to_str().map_err(|_| ApiError::invalid("X-On-Behalf-Of is a user's id"))
}
