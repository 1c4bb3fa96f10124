//! The largest of everything that a caller counts.

/// The largest quantity of one line or one receipt, in units. Leaves room for sums of a whole
/// journal in an `i64`.
pub const QUANTITY_MAX: u64 = 1 << 48;

/// The most units that an account may ever receive, in all. So what it has is a quantity, too, and
/// a number that JSON carries exactly. An account of an earlier release that received more keeps
/// it, and receives nothing any more.
pub const RECEIVED_MAX: u64 = QUANTITY_MAX;

/// The most lines of one reservation. (Up to 0.1.0 it was 64.)
pub const LINES_MAX: usize = 128;
/// The most bytes of details, of a note, or of a document.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// The longest time to live of a reservation: 366 days, in milliseconds.
pub const TTL_MS_MAX: u64 = 366 * 24 * 3600 * 1000;

/// The most places of a line in which others wait for units of an account.
pub const PLACES_MAX: usize = 1000;
/// The most bytes that are kept with a place in a line.
pub const PLACE_BYTES_MAX: usize = 128;

/// The most commands that happen together, all or none. (It was 64; a deduction of points may be of
/// more lots.)
pub const ATOMIC_COMMANDS_MAX: usize = 320;
/// The most lines of commands that happen together: one for each account that a command changes,
/// counted once for each command.
pub const ATOMIC_LINES_MAX: usize = 320;
