//! What an engine does by itself: it expires what is due, writes checkpoints, and looks how much
//! room there is.

pub(in crate::engine) mod checkpoint;
pub(in crate::engine) mod expire;
pub(in crate::engine) mod room;
pub(in crate::engine) mod space;
