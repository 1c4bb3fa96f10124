//! The engine through its public face, without a server. One module for each scenario.

mod alone;
mod face;
mod footprint;
mod history_damage;
mod relative_directory;
mod wakers;
