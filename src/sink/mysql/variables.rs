//! What a session says for itself, whatever the server's defaults are: a default that an operator
//! chose for an application must not change what the mirror's statements mean.

use std::collections::HashMap;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error as MysqlError};

use super::fault::Fault;

/// What every connection is told first: what the questions after it are asked under.
pub(super) const SETUP: [&str; 2] = [
    // MariaDB alone reads what stands in the comment. A bound of joins turns large queries off,
    // which are turned on after it.
    "SET /*M! SESSION max_statement_time = 0, */ SESSION sql_select_limit = 18446744073709551615, \
     SESSION max_join_size = 18446744073709551615, SESSION sql_big_selects = 1, \
     SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
];

/// Variables of a session with what they must be, as SQL. Those that a server does not know are not
/// set there: MySQL and MariaDB, old and new, call some of them by other names.
const VARIABLES: [(&str, &str); 17] = [
    // A transaction is what stands between its beginning and its end.
    ("autocommit", "1"),
    ("completion_type", "'NO_CHAIN'"),
    ("transaction_read_only", "0"),
    ("tx_read_only", "0"),
    // Statements mean what they say.
    ("sql_safe_updates", "0"),
    ("sql_auto_is_null", "0"),
    ("unique_checks", "1"),
    ("time_zone", "'+00:00'"),
    // None waits longer than the mirror does, or is ended before.
    ("max_execution_time", "0"),
    ("innodb_lock_wait_timeout", "5"),
    ("lock_wait_timeout", "30"),
    // A mirror that lives asks more often, and one that vanished holds its locks no longer than
    // this.
    ("wait_timeout", "20"),
    ("idle_transaction_timeout", "20"),
    ("idle_write_transaction_timeout", "20"),
    ("idle_readonly_transaction_timeout", "0"),
    ("net_read_timeout", "60"),
    ("net_write_timeout", "60"),
];

/// The variables that hold how far a transaction sees others.
const ISOLATION: [&str; 2] = ["transaction_isolation", "tx_isolation"];

/// The most bytes of one statement, well below what servers take by default.
const STATEMENT_BYTES_MAX: u64 = 2 << 20;
/// What a packet has beside the values of a statement.
const PACKET_EXTRA_BYTES: u64 = 1 << 10;
/// A server that takes less than this could not be told what it refused.
const PACKET_BYTES_MIN: u64 = 64 << 10;

/// What the mirror must know of a server to speak with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// The most bytes of values that one statement may hold.
    pub(super) statement_bytes_max: usize,
    /// Whether an upsert names the new row `new`; `VALUES()` is the older way, which others have
    /// instead.
    pub(super) has_row_alias: bool,
}

/// Sets up the session, and returns what the server is.
///
/// # Errors
/// [`Fault::Misconfigured`] when the server takes no packets of a useful size; those of the
/// database.
pub(super) async fn settle(conn: &mut Conn) -> Result<Server, Fault> {
    let shown = shown(conn).await?;
    let mut wanted: Vec<String> = VARIABLES
        .iter()
        .filter(|(name, _)| shown.contains_key(*name))
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    let isolation = isolation(&shown);
    wanted.extend(
        ISOLATION
            .iter()
            .find(|name| shown.contains_key(**name))
            .map(|name| format!("{name} = '{isolation}'")),
    );
    conn.query_drop(format!("SET SESSION {}", wanted.join(", SESSION "))).await?;
    server(&shown)
}

async fn shown(conn: &mut Conn) -> Result<HashMap<String, String>, MysqlError> {
    let read = ["version", "max_allowed_packet", "log_bin", "binlog_format"];
    let names = VARIABLES.iter().map(|(name, _)| *name).chain(ISOLATION).chain(read);
    let names: Vec<String> = names.map(|name| format!("'{name}'")).collect();
    let shown: Vec<(String, String)> = conn
        .query(format!("SHOW SESSION VARIABLES WHERE Variable_name IN ({})", names.join(",")))
        .await?;
    Ok(shown.into_iter().collect())
}

/// A writer sees what is committed, and locks no more than its own rows. A log of statements cannot
/// be written so.
fn isolation(shown: &HashMap<String, String>) -> &'static str {
    let is = |name: &str, value: &str| {
        shown.get(name).is_some_and(|shown| shown.eq_ignore_ascii_case(value))
    };
    if is("log_bin", "ON") && is("binlog_format", "STATEMENT") {
        "REPEATABLE-READ"
    } else {
        "READ-COMMITTED"
    }
}

fn server(shown: &HashMap<String, String>) -> Result<Server, Fault> {
    let text = |name: &str| shown.get(name).map(String::as_str).unwrap_or_default();
    let packet_bytes: u64 = text("max_allowed_packet").parse().unwrap_or(PACKET_BYTES_MIN);
    if packet_bytes < PACKET_BYTES_MIN {
        return Err(Fault::Misconfigured(format!(
            "max_allowed_packet is {packet_bytes}, and the mirror needs {PACKET_BYTES_MIN} at least"
        )));
    }
    let bytes = (packet_bytes - PACKET_EXTRA_BYTES).min(STATEMENT_BYTES_MAX);
    let statement_bytes_max = usize::try_from(bytes).expect("a few megabytes are a size");
    Ok(Server { statement_bytes_max, has_row_alias: has_row_alias(text("version")) })
}

/// MySQL from 8.0.19 on has it, MariaDB has not.
fn has_row_alias(version: &str) -> bool {
    let numbers = version.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    !version.contains("MariaDB") && numbers.collect::<Vec<_>>() >= vec![8, 0, 19]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_upsert_is_written_as_the_server_knows_it() {
        for (version, alias) in [
            ("9.7.4", true),
            ("8.0.19", true),
            ("8.0.45-0ubuntu0.24.04.1", true),
            ("8.0.18", false),
            ("5.7.44-log", false),
            ("10.11.19-MariaDB-0+deb12u1", false),
            ("11.8.9-MariaDB-0+deb13u1 from Debian", false),
            ("", false),
        ] {
            assert_eq!(has_row_alias(version), alias, "{version}");
        }
    }

    #[test]
    fn statements_are_as_large_as_the_server_takes_them_and_no_larger_than_is_useful() {
        for (packet_bytes, most) in
            [("1048576", Some(1_047_552)), ("67108864", Some(2 << 20)), ("1024", None)]
        {
            let server =
                server(&shown(&[("max_allowed_packet", packet_bytes), ("version", "9.7.4")]));
            assert_eq!(
                server.ok().map(|server| server.statement_bytes_max),
                most,
                "{packet_bytes}"
            );
        }
    }

    #[test]
    fn a_log_of_statements_is_written_by_repeatable_reads() {
        let statement = ("binlog_format", "STATEMENT");
        assert_eq!(isolation(&shown(&[("log_bin", "ON"), statement])), "REPEATABLE-READ");
        assert_eq!(isolation(&shown(&[("log_bin", "OFF"), statement])), "READ-COMMITTED");
        assert_eq!(
            isolation(&shown(&[("log_bin", "ON"), ("binlog_format", "ROW")])),
            "READ-COMMITTED"
        );
        assert_eq!(isolation(&shown(&[])), "READ-COMMITTED");
    }
}
