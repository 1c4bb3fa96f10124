//! What the repository itself must keep: the direction of imports, what embedders compile, and what
//! the documents say of the sources.

mod alerts;
mod circles;
mod conventions;
mod deps;
mod foreign_types;
mod formats;
mod guards;
mod layers;
mod own_kinds;
mod sources;
mod workflows;
