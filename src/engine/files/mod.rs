//! What an engine has on disk beside its journal and its history: where it is, snapshots, claims,
//! and whether they belong to the journal that was found.

pub(in crate::engine) mod belonging;
pub(crate) mod claims;
pub(in crate::engine) mod generations;
pub(crate) mod place;
pub(crate) mod snapshot;
