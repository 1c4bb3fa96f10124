//! The tables of a reload: made and filled beside those that reports read, which stay as they are
//! until all of it is there. Then one transaction brings the mirror's rows and columns over by
//! their ids. Rows and columns of others stay where they are, with whatever looks at them; one
//! statement that fails leaves everything as it was.

use super::catalogue::{self, Catalogue};
use super::conn::Conn;
use super::fault::Fault;
use super::schema::{Column, Kind, Table};
use super::session::{Phase, Position, read_position};
use super::tables::{ORDERED, SCHEMA};
use crate::base::Seq;

const NOTES: [&str; 2] = ["mirror_rejected", "mirror_state"];
/// Whoever delivers says so in the status of an order that is confirmed.
const DELIVERED: &str = "(o.status IN (2, 3) AND n.status = 1)";
/// What is kept of a row that was set aside.
const REJECTED: &str = "table_name, row_id, seq, content, reason, rejected_at";

fn filled() -> impl DoubleEndedIterator<Item = &'static Table> {
    ORDERED.iter().filter_map(|name| SCHEMA.iter().find(|table| table.name == *name))
}

/// What a reload that was cut short has come to; `None` when there is none that could go on.
pub(super) async fn begun(conn: &mut Conn, ledger_id: &str) -> Result<Option<Position>, Fault> {
    let (ours, side) = (conn.prefix(), conn.prefix().beside());
    let there = catalogue::read(conn, ours).await?;
    let beside = catalogue::read(conn, side).await?;
    // Tables that have changed meanwhile are filled from the start.
    let is_same =
        ORDERED.iter().chain(&NOTES).all(|name| columns(&there, name) == columns(&beside, name));
    if !is_same {
        return Ok(None);
    }
    conn.turn_to(side);
    let position = read_position(conn, "").await;
    conn.turn_to(ours);
    Ok(position?
        .filter(|position| position.phase == Phase::Loading && position.ledger_id == ledger_id))
}

fn columns<'a>(catalogue: &'a Catalogue, table: &str) -> Option<Vec<(&'a str, &'a str)>> {
    let table = catalogue.get(table)?;
    Some(
        table
            .columns
            .iter()
            .map(|column| (column.name.as_str(), column.column_type.as_str()))
            .collect(),
    )
}

/// Makes the tables, with the rows of others in them: what the database refuses beside those, it is
/// to refuse here.
pub(super) async fn make(
    conn: &mut Conn,
    ledger_id: &str,
    from_seq: Seq,
    to_seq: Seq,
) -> Result<(), Fault> {
    remove(conn).await?;
    let (ours, side) = (conn.prefix(), conn.prefix().beside());
    let there = catalogue::read(conn, ours).await?;
    for name in ORDERED.iter().chain(&NOTES) {
        let statement = format!("CREATE TABLE {} LIKE {}", side.table(name), ours.table(name));
        conn.query_as_is(&statement).await?;
    }
    for name in ORDERED {
        let columns = there.get(name).map(|table| &table.columns[..]).unwrap_or_default();
        let columns = columns.iter().filter(|column| !column.is_generated());
        let columns: Vec<String> = columns.map(|column| format!("`{}`", column.name)).collect();
        let columns = columns.join(", ");
        let (to, from) = (side.table(name), ours.table(name));
        let statement =
            format!("INSERT INTO {to} ({columns}) SELECT {columns} FROM {from} WHERE seq IS NULL");
        conn.query_as_is(&statement).await?;
    }
    // Last of all: with this row a reload has begun.
    conn.turn_to(side);
    let statement = "INSERT INTO mirror_state (id, ledger_id, phase, epoch, watermark, mark, reload_from, reload_to) \
                     VALUES (1, ?, ?, 1, ?, 0, ?, ?)";
    let values = (ledger_id, Phase::Loading.name(), from_seq.saturating_sub(1), from_seq, to_seq);
    let begun = conn.exec_drop(statement, values).await;
    conn.turn_to(ours);
    Ok(begun?)
}

/// Removes the tables.
pub(super) async fn remove(conn: &mut Conn) -> Result<(), Fault> {
    let side = conn.prefix().beside();
    let names: Vec<String> = ORDERED.iter().chain(&NOTES).map(|name| side.table(name)).collect();
    Ok(conn.query_as_is(&format!("DROP TABLE IF EXISTS {}", names.join(", "))).await?)
}

/// Brings everything over, or nothing.
pub(super) async fn bring_over(conn: &mut Conn, epoch: u64) -> Result<(), Fault> {
    conn.query_drop("START TRANSACTION").await?;
    match rows(conn, epoch).await {
        Ok(()) => {
            Ok(conn.query_drop("COMMIT").await.map_err(|error| Fault::Lost(error.to_string()))?)
        }
        Err(fault) => {
            if !matches!(fault, Fault::Lost(_)) {
                conn.query_drop("ROLLBACK").await?;
            }
            Err(fault)
        }
    }
}

async fn rows(conn: &mut Conn, epoch: u64) -> Result<(), Fault> {
    let locked = "SELECT epoch FROM mirror_state WHERE id = 1 FOR UPDATE";
    if conn.query_first::<u64, _>(locked).await? != Some(epoch) {
        return Err(Fault::Fenced("another mirror has taken over the tables".to_owned()));
    }
    for table in filled().rev() {
        removed(conn, table).await?;
    }
    for table in filled() {
        changed(conn, table).await?;
    }
    let (ours, side) = (conn.prefix(), conn.prefix().beside());
    let names = |name| (ours.table(name), side.table(name));
    let (to, from) = names("mirror_rejected");
    conn.query_as_is(&format!("DELETE FROM {to}")).await?;
    conn.query_as_is(&format!(
        "INSERT INTO {to} ({REJECTED}) SELECT {REJECTED} FROM {from} ORDER BY id"
    ))
    .await?;
    let (to, from) = names("mirror_state");
    let taken = ["watermark", "mark", "event_at", "mirrored_at", "rejected"];
    let taken: Vec<String> =
        taken.iter().map(|column| format!("o.{column} = n.{column}")).collect();
    let statement = format!(
        "UPDATE {to} o JOIN {from} n ON n.id = o.id SET {}, o.phase = '{}', o.reload_from = NULL, o.reload_to = NULL, \
         o.last_error = NULL, o.last_error_at = NULL",
        taken.join(", "),
        Phase::Following.name()
    );
    Ok(conn.query_as_is(&statement).await?)
}

/// Takes out what the mirror wrote and the ledger does not know. A row in which others keep things
/// of theirs stays.
async fn removed(conn: &mut Conn, table: &Table) -> Result<(), Fault> {
    let (to, from) = names(conn, table);
    let gone = format!("LEFT JOIN {from} n ON n.id = o.id AND n.seq IS NOT NULL");
    let found = "WHERE o.seq IS NOT NULL AND n.id IS NULL";
    let statement = if table.is_kept {
        let emptied: Vec<String> = table.columns.iter().filter_map(emptied).collect();
        format!("UPDATE {to} o {gone} SET {} {found}", emptied.join(", "))
    } else {
        format!("DELETE o FROM {to} o {gone} {found}")
    };
    Ok(conn.query_as_is(&statement).await?)
}

/// What a column of the mirror's becomes in a row that is others' from now on.
fn emptied(column: &Column) -> Option<String> {
    let Column { name, kind, takes_null, is_written, .. } = *column;
    match (takes_null, kind) {
        _ if !is_written => None,
        (true, _) => Some(format!("o.{name} = NULL")),
        (false, Kind::Big) => Some(format!("o.{name} = 0")),
        // Its id, and since when it is there.
        (false, _) => None,
    }
}

/// Changes the rows that are there and are not as they should be, and adds the others.
async fn changed(conn: &mut Conn, table: &Table) -> Result<(), Fault> {
    let (to, from) = names(conn, table);
    // Rows of others with ids of orders and records are a conflict, which is known when the reload
    // begins.
    if !table.is_shared {
        let query = format!(
            "SELECT o.id FROM {to} o JOIN {from} n ON n.id = o.id WHERE o.seq IS NULL AND n.seq IS NOT NULL LIMIT 1"
        );
        if let Some(id) = conn.query_first::<String, _>(&query).await? {
            return Err(Fault::Busy(format!(
                "somebody made a row {id} of {to} during the reload: run it again"
            )));
        }
    }
    let written = || table.columns.iter().filter(|column| column.is_written && column.name != "id");
    let (set, same): (Vec<String>, Vec<String>) = written()
        .map(|column| {
            let (set, same) =
                (format!("o.{0} = n.{0}", column.name), format!("o.{0} <=> n.{0}", column.name));
            if column.is_shipping {
                return (
                    format!("o.{0} = IF(n.shipped_at IS NULL, o.{0}, n.{0})", column.name),
                    format!("({same} OR n.shipped_at IS NULL)"),
                );
            }
            if table.name == "exchange_orders" && column.name == "status" {
                return (
                    format!("o.status = IF({DELIVERED}, o.status, n.status)"),
                    format!("({same} OR {DELIVERED})"),
                );
            }
            (set, same)
        })
        .unzip();
    conn.query_as_is(&format!(
        "UPDATE {to} o JOIN {from} n ON n.id = o.id SET {} WHERE n.seq IS NOT NULL AND NOT ({})",
        set.join(", "),
        same.join(" AND ")
    ))
    .await?;
    let columns: Vec<&str> = written().map(|column| column.name).collect();
    let columns = columns.join(", ");
    let new: Vec<String> = written().map(|column| format!("n.{}", column.name)).collect();
    conn.query_as_is(&format!(
        "INSERT INTO {to} (id, {columns}) SELECT n.id, {} FROM {from} n LEFT JOIN {to} o ON o.id = n.id \
         WHERE n.seq IS NOT NULL AND o.id IS NULL",
        new.join(", ")
    ))
    .await?;
    Ok(())
}

fn names(conn: &Conn, table: &Table) -> (String, String) {
    let ours = conn.prefix();
    (ours.table(table.name), ours.beside().table(table.name))
}
