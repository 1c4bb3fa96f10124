//! A statement that writes rows of a table, of any number.

/// A statement that takes any number of rows.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) table: &'static str,
    /// The first is the table's id.
    pub(super) columns: Vec<&'static str>,
    pub(super) there: There,
}

/// What to do about a row of the same id that is there. A change says `{column}` for what the new
/// row has, and `old.column` for what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum There {
    /// It is a refusal.
    Refused,
    /// It stays. Somebody else's is a refusal.
    Kept,
    /// It is changed. Somebody else's is a refusal.
    Changed(String),
    /// As [`There::Changed`]; where there is none, nothing is added.
    ChangedOnly(String),
    /// It is changed. Somebody else's becomes the mirror's: both know what the id names.
    Taken(String),
}
