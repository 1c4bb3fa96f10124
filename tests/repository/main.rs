//! What the repository itself must keep: the direction of imports, and what embedders compile.

mod deps;
mod layers;
