//! What an error of the database means: each number in one table. Imports nothing of the crate, so
//! that the tests, which make each of them on real servers, share the file.

use std::io;

use mysql_async::{DriverError, Error, IoError};

/// What an error is about, as far as it decides what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The moment: the same may succeed soon, on the same connection.
    Soon,
    /// The transaction is gone with everything in it, and whatever is said next is said outside of
    /// it: begin it anew.
    LostTransaction,
    /// There is no connection, or none whose state is known.
    LostConnection,
    /// The row that was written.
    Row,
    /// Settings, rights or tables: only an operator can help.
    Operator,
    /// Who one is, or what one trusts: only an operator can help, and each try counts against the
    /// account or the host.
    Login,
}

use Meaning::{Login, LostConnection, LostTransaction, Operator, Row, Soon};

/// What the numbers of servers mean. Numbers below 1900 are those of both; from there on MariaDB
/// and MySQL each count for themselves.
#[rustfmt::skip]
pub(crate) const MEANINGS: [(u16, Meaning); 127] = [
    (1016, Operator),        // a table's file cannot be opened
    (1017, Operator),        // a table's file is not there
    (1020, LostTransaction), // the row has changed since it was read: MariaDB's snapshot isolation
    (1021, Soon),            // the disk is full
    (1023, Soon),            // the disk is full while closing
    (1026, Soon),            // the disk is full while writing
    (1030, Soon),            // the storage engine fails: a full disk, most often
    (1033, Operator),        // a table's definition is damaged
    (1034, Operator),        // an index is damaged
    (1035, Operator),        // an old index
    (1036, Operator),        // the table only reads
    (1037, Soon),            // out of memory
    (1038, Soon),            // out of memory for sorting
    (1040, Soon),            // too many connections
    (1041, Soon),            // out of memory
    (1042, Soon),            // the host's name cannot be looked up
    (1043, LostConnection),  // a bad handshake
    (1044, Operator),        // no rights on the database
    (1045, Login),           // access denied
    (1046, Operator),        // no database was named
    (1047, Soon),            // a node of a cluster that is not ready
    (1048, Row),             // a column cannot be null
    (1049, Operator),        // no such database
    (1053, LostConnection),  // the server stops
    (1054, Operator),        // no such column
    (1062, Row),             // a key that is there
    (1064, Operator),        // syntax
    (1079, LostConnection),  // the server has stopped
    (1105, Operator),        // an error without a number of its own
    (1114, Soon),            // the table is full
    (1118, Row),             // a row too large
    (1129, Login),           // the host is blocked for its many errors
    (1130, Login),           // the host may not connect
    (1133, Login),           // no such user
    (1136, Operator),        // columns and values do not fit
    (1142, Operator),        // no right on the table
    (1143, Operator),        // no right on the column
    (1146, Operator),        // no such table
    (1148, Operator),        // not allowed with this version
    (1152, LostConnection),  // the connection was aborted
    (1153, Operator),        // a packet larger than the server takes
    (1158, LostConnection),  // reading from the wire failed
    (1159, LostConnection),  // reading from the wire took too long
    (1160, LostConnection),  // writing to the wire failed
    (1161, LostConnection),  // writing to the wire took too long
    (1175, Operator),        // safe updates forbid a statement
    (1180, LostTransaction), // a commit failed
    (1184, LostConnection),  // the connection was aborted
    (1193, Operator),        // no such variable
    (1194, Operator),        // the table is damaged
    (1195, Operator),        // the table is damaged, and its repair failed
    (1203, Soon),            // the user has too many connections
    (1205, Soon),            // a lock was not given in time
    (1206, Soon),            // too many locks
    (1213, LostTransaction), // a deadlock
    (1222, Operator),        // statements of another number of columns
    (1226, Soon),            // the user has used up what an hour allows
    (1227, Operator),        // a right of administrators
    (1231, Operator),        // a variable cannot have this value
    (1238, Operator),        // a variable cannot be set
    (1251, Login),           // another way to log in is wanted
    (1264, Row),             // out of range
    (1265, Row),             // truncated
    (1267, Operator),        // two collations
    (1286, Operator),        // no such storage engine
    (1288, Operator),        // a view that cannot be written
    (1290, Soon),            // the server only reads: until it is the first one again
    (1292, Row),             // a wrong value
    (1305, Operator),        // no such function
    (1347, Operator),        // a view where a table must be
    (1356, Operator),        // a view of something that is gone
    (1364, Operator),        // a column of somebody else's without a default
    (1366, Row),             // a character that the column does not know
    (1370, Operator),        // no right to call a function
    (1406, Row),             // too long
    (1411, Row),             // a wrong value for a function
    (1415, Operator),        // a trigger answers rows
    (1419, Operator),        // triggers need more rights
    (1436, Operator),        // a trigger needs more stack
    (1442, Operator),        // a trigger writes its own table
    (1449, Operator),        // whoever defined a trigger is gone
    (1451, Row),             // others refer to the row
    (1452, Row),             // the row refers to nothing
    (1461, Soon),            // too many prepared statements
    (1471, Operator),        // a view that takes no rows
    (1524, Login),           // a way to log in that the server does not have
    (1526, Row),             // no partition for the row
    (1568, LostTransaction), // a transaction is under way where none must be
    (1586, Row),             // a key that is there, named
    (1613, LostTransaction), // a branch that took too long
    (1614, LostTransaction), // a deadlock in a branch
    (1615, Soon),            // a prepared statement must be prepared anew
    (1637, Soon),            // too many transactions
    (1644, Row),             // what a trigger signals
    (1665, Operator),        // a log of statements cannot be written at this isolation
    (1690, Row),             // out of range in an expression
    (1698, Login),           // access denied, without a password
    (1748, Row),             // the row is in another partition
    (1785, Operator),        // a table that knows no transactions, where all must
    (1786, Operator),        // making a table from a query is forbidden
    (1792, Soon),            // a transaction that only reads: the server may do so for a while
    (1812, Operator),        // a table's file is missing
    (1814, Operator),        // a table's file was discarded
    (1820, Login),           // the password must be changed before anything else
    (1832, Operator),        // a foreign key holds a column
    (1833, Operator),        // a foreign key of another table holds a column
    (1836, Soon),            // the server only reads, or is being upgraded
    (1862, Login),           // the password has expired
    (1927, LostConnection),  // MariaDB: the connection was killed
    (1932, Operator),        // MariaDB: a table that its engine does not have
    (1969, Soon),            // MariaDB: a statement took longer than it may
    (3024, Soon),            // MySQL: a statement took longer than it may
    (3058, Soon),            // MySQL: two wait for each other's named locks
    (3098, Operator),        // MySQL: a group of servers refuses the table
    (3100, Soon),            // MySQL: a group of servers did not take the transaction up
    (3101, LostTransaction), // MySQL: a group of servers undid it
    (3118, Operator),        // MySQL: the account is locked
    (3140, Row),             // MySQL: not JSON
    (3159, Operator),        // both: the server wants encrypted connections
    (3169, LostConnection),  // MySQL: the session was killed
    (3730, Operator),        // MySQL: a foreign key needs the table
    (3780, Operator),        // MySQL: the types of a foreign key differ
    (3819, Row),             // MySQL: a check constraint
    (3955, Login),           // MySQL: the account is locked for its many failed logins
    (4025, Row),             // MariaDB: a check constraint
    (4031, LostConnection),  // MySQL: the connection rested too long
    (4151, Operator),        // MariaDB: the account is locked
];

/// What an error means.
pub(crate) fn meaning(error: &Error) -> Meaning {
    match error {
        Error::Server(error) => meaning_of(error.code, &error.state),
        Error::Url(_) => Operator,
        // A certificate that is not trusted does not become so by waiting, and servers count such
        // visits.
        Error::Io(IoError::Tls(_)) => Login,
        Error::Io(IoError::Io(error)) if is_about_certificates(error) => Login,
        Error::Driver(
            DriverError::NoClientSslFlagFromServer
            | DriverError::UnknownAuthPlugin { .. }
            | DriverError::MysqlOldPasswordDisabled
            | DriverError::CleartextPluginDisabled,
        ) => Login,
        _ => LostConnection,
    }
}

/// What an answer of the server means, by its number, and by its SQLSTATE where the number is none
/// that is known.
pub(crate) fn meaning_of(code: u16, state: &str) -> Meaning {
    if let Ok(at) = MEANINGS.binary_search_by_key(&code, |(code, _)| *code) {
        return MEANINGS[at].1;
    }
    match state.get(..2) {
        // Data, integrity, and what a trigger signals.
        Some("22" | "23" | "45") => Row,
        Some("08") => LostConnection,
        Some("40" | "XA") => LostTransaction,
        // What was interrupted by somebody, and what waits too long.
        Some("70" | "HY") if state == "70100" || state == "HYT00" => Soon,
        // The server answered, and nobody knows what would change its mind.
        _ => Operator,
    }
}

/// Failures of a handshake come as those of the wire.
fn is_about_certificates(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData && error.to_string().contains("certificate")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_found() {
        assert!(
            MEANINGS.is_sorted_by(|(one, _), (next, _)| one < next),
            "a search by halves needs their order"
        );
        for (code, meaning) in MEANINGS {
            assert_eq!(meaning_of(code, "HY000"), meaning, "ERROR {code}");
        }
    }

    #[test]
    fn a_number_that_is_not_known_is_judged_by_its_class() {
        for (state, meaning) in [
            ("22032", Row),
            ("23000", Row),
            ("45000", Row),
            ("08S01", LostConnection),
            ("40001", LostTransaction),
            ("70100", Soon),
            ("HYT00", Soon),
            ("42000", Operator),
            ("HY000", Operator),
            ("", Operator),
        ] {
            assert_eq!(meaning_of(65_000, state), meaning, "{state:?}");
        }
    }
}
