//! The schema, in numbered steps. MySQL commits each change of a table by itself, so a step that was cut short is made
//! again from its start, and every statement of it may be made twice.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::fault::Fault;
use super::session::lock_name;

/// A step: its number, its name, its statements.
struct Migration {
    version: u32,
    name: &'static str,
    script: &'static str,
}

const MIGRATIONS: [Migration; 4] = [
    Migration { version: 1, name: "mall tables", script: include_str!("migrations/001_mall_tables.sql") },
    Migration { version: 2, name: "mall extensions", script: include_str!("migrations/002_mall_extensions.sql") },
    Migration { version: 3, name: "widths", script: include_str!("migrations/003_widths.sql") },
    Migration { version: 4, name: "mirror", script: include_str!("migrations/004_mirror.sql") },
];

/// How long two migrations wait for each other.
const LOCK_WAIT: Duration = Duration::from_secs(30);
const LOCK: &str = "stockhold-migrate";

/// The tables the mirror writes, with the columns it fills in; what else they have must have a default.
const FILLED: [(&str, &[&str]); 6] = [
    ("product_categories", &["id", "name", "created_at", "updated_at"]),
    ("products", &["id", "name", "category_id", "points_price", "created_at", "updated_at"]),
    (
        "exchange_orders",
        &["id", "order_no", "user_id", "product_id", "product_snapshot", "quantity", "points_cost", "expires_at"],
    ),
    ("inventory_records", &["id", "product_id", "change_type", "quantity_change", "stock_before", "stock_after"]),
    ("points_records", &["id", "user_id", "points", "balance_before", "balance_after"]),
    ("users", &["id", "points_balance", "total_exchanges"]),
];

/// Brings the tables up to date; returns the steps that were made.
///
/// # Errors
/// [`Fault::Misconfigured`] when a newer program was here, or a table cannot be written afterwards.
pub(super) async fn migrate(conn: &mut Conn) -> Result<Vec<&'static str>, Fault> {
    let lock = lock_name(conn, LOCK).await?;
    let got: Option<Option<u8>> = conn.exec_first("SELECT GET_LOCK(?, ?)", (&lock, LOCK_WAIT.as_secs())).await?;
    if got.flatten() != Some(1) {
        return Err(Fault::Busy("another program migrates the tables".to_owned()));
    }
    let made = apply(conn).await;
    // The lock ends with the connection at the latest.
    conn.exec_drop("DO RELEASE_LOCK(?)", (&lock,)).await?;
    made
}

async fn apply(conn: &mut Conn) -> Result<Vec<&'static str>, Fault> {
    let create = "CREATE TABLE IF NOT EXISTS mirror_migrations (\
                  version INT UNSIGNED PRIMARY KEY, name VARCHAR(100) NOT NULL, \
                  applied_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)\
                  ) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4";
    // Who has nothing to make needs no right to make it.
    if !holds(conn, Some("table mirror_migrations")).await? {
        conn.query_drop(create).await?;
    }
    let at = version(conn).await?;
    let mut made = Vec::new();
    for migration in MIGRATIONS.iter().filter(|migration| migration.version > at) {
        for Step { unless, statement } in steps(migration.script) {
            if holds(conn, unless).await? {
                continue;
            }
            conn.query_drop(statement).await.map_err(|error| {
                let first = statement.lines().next().unwrap_or_default();
                match Fault::from(error) {
                    Fault::Misconfigured(message) => Fault::Misconfigured(format!(
                        "migration {} ({}) failed at `{first}`: {message}",
                        migration.version, migration.name
                    )),
                    fault => fault,
                }
            })?;
        }
        let done = "INSERT INTO mirror_migrations (version, name) VALUES (?, ?)";
        conn.exec_drop(done, (migration.version, migration.name)).await?;
        made.push(migration.name);
    }
    check_columns(conn).await?;
    Ok(made)
}

/// Whether the tables are those that this program writes.
///
/// # Errors
/// [`Fault::Misconfigured`] when they are not, saying what to do.
pub(super) async fn check(conn: &mut Conn) -> Result<(), Fault> {
    let exists = holds(conn, Some("table mirror_migrations")).await?;
    let at = if exists { version(conn).await? } else { 0 };
    if at < newest() {
        return Err(Fault::Misconfigured(format!(
            "the tables are at version {at} and must be at {}: run `stockhold mirror migrate`",
            newest()
        )));
    }
    check_columns(conn).await
}

fn newest() -> u32 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

async fn version(conn: &mut Conn) -> Result<u32, Fault> {
    let at: Option<Option<u32>> = conn.query_first("SELECT MAX(version) FROM mirror_migrations").await?;
    let at = at.flatten().unwrap_or(0);
    if at > newest() {
        return Err(Fault::Misconfigured(format!(
            "the tables are at version {at}, which a newer program made; this one knows {}",
            newest()
        )));
    }
    Ok(at)
}

/// A column of somebody else's that must have a value would make every row one that the database refuses.
async fn check_columns(conn: &mut Conn) -> Result<(), Fault> {
    for (table, filled) in FILLED {
        let query = "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() \
                     AND table_name = ? AND is_nullable = 'NO' AND column_default IS NULL \
                     AND extra NOT LIKE '%auto_increment%' AND extra NOT LIKE '%GENERATED%'";
        let needed: Vec<String> = conn.exec(query, (table,)).await?;
        if let Some(column) = needed.iter().find(|column| !filled.contains(&column.as_str())) {
            return Err(Fault::Misconfigured(format!(
                "{table}.{column} must have a value, and the mirror knows none for it: give the column a default"
            )));
        }
    }
    Ok(())
}

/// A statement, and what makes it needless.
#[derive(Debug, PartialEq, Eq)]
struct Step<'a> {
    unless: Option<&'a str>,
    statement: &'a str,
}

/// The statements of a script: they end with a semicolon at the end of a line; a line `-- unless ...` before one says
/// what makes it needless, and other lines that begin with `--` are for people.
fn steps(script: &str) -> impl Iterator<Item = Step<'_>> {
    script.split(";\n").filter_map(|text| {
        let (mut unless, mut rest) = (None, text.trim_start());
        while let Some(comment) = rest.strip_prefix("--") {
            let (line, after) = comment.split_once('\n').unwrap_or((comment, ""));
            unless = line.trim().strip_prefix("unless ").or(unless);
            rest = after.trim_start();
        }
        let statement = rest.trim_end().trim_end_matches(';');
        (!statement.is_empty()).then_some(Step { unless, statement })
    })
}

/// Whether `table T`, `column T C`, `index T I` or `engine T E` is so already.
async fn holds(conn: &mut Conn, what: Option<&str>) -> Result<bool, Fault> {
    let Some(what) = what else { return Ok(false) };
    let words: Vec<&str> = what.split_whitespace().collect();
    let (query, values) = match words[..] {
        ["table", table] => ("SELECT 1 FROM information_schema.tables WHERE table_name = ?", vec![table]),
        ["engine", table, engine] => {
            ("SELECT 1 FROM information_schema.tables WHERE table_name = ? AND engine = ?", vec![table, engine])
        }
        ["column", table, column] => {
            ("SELECT 1 FROM information_schema.columns WHERE table_name = ? AND column_name = ?", vec![table, column])
        }
        ["index", table, index] => {
            ("SELECT 1 FROM information_schema.statistics WHERE table_name = ? AND index_name = ?", vec![table, index])
        }
        _ => return Err(Fault::Misconfigured(format!("a migration asks for {what:?}, which means nothing"))),
    };
    let found: Option<Row> = conn.exec_first(format!("{query} AND table_schema = DATABASE()"), values).await?;
    Ok(found.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_statement_by_statement() {
        let script =
            "-- For people.\n\n-- unless column a b\nALTER TABLE a\n  ADD COLUMN b INT;\n\nUPDATE a SET b = 1;\n";
        let read: Vec<Step<'_>> = steps(script).collect();
        let expected = [
            Step { unless: Some("column a b"), statement: "ALTER TABLE a\n  ADD COLUMN b INT" },
            Step { unless: None, statement: "UPDATE a SET b = 1" },
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn migrations_are_numbered_without_gaps_and_can_be_made_twice() {
        let mut statements = 0;
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.version as usize, index + 1);
            for Step { unless, statement } in steps(migration.script) {
                statements += 1;
                let repeatable = ["CREATE TABLE IF NOT EXISTS ", "UPDATE "].iter().any(|it| statement.starts_with(it))
                    || statement.lines().skip(1).all(|line| !line.trim_start().starts_with("ADD "))
                        && statement.contains("MODIFY COLUMN");
                assert!(repeatable || unless.is_some(), "{statement}");
            }
        }
        assert!(statements > 40, "only {statements} statements were read");
    }
}
