//! Bringing the tables to their shape. What is there is read from the catalogue, what is to be done
//! is planned, and only a plan without faults is begun: MySQL commits each change of a table by
//! itself. Each change can be made after any other was cut short, since the next plan begins with
//! what is there.

use std::time::Duration;

use super::catalogue::{self, Catalogue, FoundTable};
use super::conn::Conn;
use super::fault::Fault;
use super::phase::Phase;
use super::plan::{Change, Plan, Step, plan, widened};
use super::prefix::Prefix;
use super::tables::{SCHEMA, levels};

/// The version of the tables. A program leaves those of a newer one alone.
const VERSION: u32 = 5;
const VERSION_NAME: &str = "shape from the catalogue";

/// How long two migrations wait for each other.
const LOCK_WAIT: Duration = Duration::from_secs(30);
const LOCK: &str = "stockhold-migrate";

/// How many faults are told at once.
const TOLD_MAX: usize = 12;

/// Brings the tables up to date; returns what was made.
///
/// # Errors
/// [`Fault::Misconfigured`] when a newer program was here, or a table cannot be the mirror's:
/// nothing was changed then.
pub(super) async fn migrate(conn: &mut Conn) -> Result<Vec<String>, Fault> {
    let lock = conn.lock_name(LOCK).await?;
    let got: Option<Option<u8>> =
        conn.exec_first("SELECT GET_LOCK(?, ?)", (&lock, LOCK_WAIT.as_secs())).await?;
    if got.flatten() != Some(1) {
        return Err(Fault::Busy("another program migrates the tables".to_owned()));
    }
    let made = apply(conn).await;
    // The lock ends with the connection at the latest.
    conn.exec_drop("DO RELEASE_LOCK(?)", (&lock,)).await?;
    made
}

async fn apply(conn: &mut Conn) -> Result<Vec<String>, Fault> {
    let (catalogue, plan) = draw(conn).await?;
    let statements = statements(conn, &plan).await?;
    if plan.is_lossy && catalogue.contains_key("mirror_state") {
        // First of all: whoever is cut short here must not take what is made anew for the whole.
        let statement = "UPDATE mirror_state SET phase = ? WHERE id = 1 AND phase = ?";
        conn.exec_drop(statement, (Phase::Incomplete.name(), Phase::Following.name())).await?;
    }
    for (step, statement) in plan.steps.iter().zip(&statements) {
        conn.query_as_is(statement).await.map_err(|error| match Fault::from(error) {
            Fault::Misconfigured(message) => {
                Fault::Misconfigured(format!("migration failed at the {}: {message}", step.what))
            }
            fault => fault,
        })?;
    }
    note_version(conn, &catalogue).await?;
    Ok(plan.steps.into_iter().map(|step| step.what).collect())
}

/// The statements that a migration would make.
///
/// # Errors
/// As [`migrate`].
pub(super) async fn dry_run(conn: &mut Conn) -> Result<Vec<String>, Fault> {
    let (_, plan) = draw(conn).await?;
    statements(conn, &plan).await
}

/// Whether the tables are those that this program writes.
///
/// # Errors
/// [`Fault::Misconfigured`] when they are not, saying what to do.
pub(super) async fn check(conn: &mut Conn) -> Result<(), Fault> {
    let (_, plan) = draw(conn).await?;
    match plan.steps.first() {
        None => Ok(()),
        Some(step) => Err(Fault::Misconfigured(format!(
            "the tables are not as they must be, to begin with the {}: run `stockhold mirror migrate`",
            step.what
        ))),
    }
}

async fn draw(conn: &mut Conn) -> Result<(Catalogue, Plan), Fault> {
    let prefix = conn.prefix();
    let catalogue = catalogue::read(conn, prefix).await?;
    if catalogue.contains_key("mirror_migrations") {
        check_version(conn).await?;
    }
    let plan = plan(&catalogue, prefix).map_err(|faults| Fault::Misconfigured(told(&faults)))?;
    Ok((catalogue, plan))
}

fn told(faults: &[String]) -> String {
    let shown = faults.iter().take(TOLD_MAX).map(String::as_str).collect::<Vec<_>>().join("; ");
    let more = faults.len().saturating_sub(TOLD_MAX);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!(
        "migration: {shown}{more}. Nothing was changed. Give the mirror a database of its own, or tables of its own by \
         mirror_prefix, or change these"
    )
}

async fn check_version(conn: &mut Conn) -> Result<(), Fault> {
    let at: Option<Option<u32>> =
        conn.query_first("SELECT MAX(version) FROM mirror_migrations").await?;
    match at.flatten() {
        Some(at) if at > VERSION => Err(Fault::Misconfigured(format!(
            "the tables are at version {at}, which a newer program made; this one knows {VERSION}"
        ))),
        _ => Ok(()),
    }
}

async fn note_version(conn: &mut Conn, catalogue: &Catalogue) -> Result<(), Fault> {
    // Where nothing is to be made, no right to make it is needed.
    if !catalogue.contains_key("mirror_migrations") {
        let create = "CREATE TABLE IF NOT EXISTS mirror_migrations (\
                      version INT UNSIGNED PRIMARY KEY, name VARCHAR(100) NOT NULL, \
                      applied_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)\
                      ) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4";
        conn.query_drop(create).await?;
    }
    let statement = "INSERT INTO mirror_migrations (version, name) SELECT ?, ? FROM (SELECT 1) one \
                     WHERE NOT EXISTS (SELECT 1 FROM mirror_migrations WHERE version = ?)";
    conn.exec_drop(statement, (VERSION, VERSION_NAME, VERSION)).await?;
    Ok(())
}

/// The statement of each step, before the first is made.
async fn statements(conn: &mut Conn, plan: &Plan) -> Result<Vec<String>, Fault> {
    let mut statements = Vec::with_capacity(plan.steps.len());
    for Step { change, what } in &plan.steps {
        statements.push(match change {
            Change::Make(statement) => statement.clone(),
            Change::Widen { table, column, from, to } => {
                let text: Option<(String, String)> =
                    conn.query_first(format!("SHOW CREATE TABLE `{table}`")).await?;
                let text = text.map(|(_, text)| text).unwrap_or_default();
                let definition = widened(&text, column, from, to).ok_or_else(|| {
                    Fault::Misconfigured(format!(
                        "migration: the {what}: the table's definition does not show it so"
                    ))
                })?;
                format!("ALTER TABLE {table} MODIFY COLUMN {definition}")
            }
        });
    }
    Ok(statements)
}

/// Whether a mirror has written rows.
pub(super) async fn has_rows(conn: &mut Conn) -> Result<bool, Fault> {
    for table in SCHEMA.iter().filter(|table| table.is_filled) {
        let query = format!("SELECT 1 FROM {} WHERE seq IS NOT NULL LIMIT 1", table.name);
        if conn.query_first::<u8, _>(query).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Views in the names of the mall's document, for a mirror whose tables have others: the
/// statements, and the names that are taken.
///
/// # Errors
/// What a statement returned.
pub(super) async fn views(conn: &mut Conn) -> Result<(Vec<String>, Vec<&'static str>), Fault> {
    let prefix = conn.prefix();
    conn.turn_to(Prefix::NONE);
    let taken = catalogue::read(conn, Prefix::NONE).await;
    conn.turn_to(prefix);
    let taken = taken?;
    let (mut statements, mut names) = (Vec::new(), Vec::new());
    for table in SCHEMA.iter().filter(|table| table.name != "mirror_rejected") {
        match taken.get(table.name) {
            Some(FoundTable { is_view: false, .. }) => names.push(table.name),
            _ => {
                let columns: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
                statements.push(format!(
                    "CREATE OR REPLACE SQL SECURITY INVOKER VIEW {} AS SELECT {} FROM {}",
                    table.name,
                    columns.join(", "),
                    prefix.table(table.name)
                ));
            }
        }
    }
    statements.push(levels::view(prefix));
    Ok((statements, names))
}
