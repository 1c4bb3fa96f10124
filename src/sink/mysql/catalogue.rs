//! What a database has, as its catalogue says: tables, columns, keys, and what else looks at them.

use std::collections::BTreeMap;

use mysql_async::Row;

use super::conn::Conn;
use super::fault::Fault;
use super::prefix::{Prefix, TABLES};

/// A column as it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) name: String,
    /// The type without its size, in lower case.
    pub(super) data_type: String,
    /// The type as a definition has it.
    pub(super) column_type: String,
    pub(super) chars: Option<u64>,
    pub(super) digits: Option<u64>,
    pub(super) scale: Option<u64>,
    pub(super) fraction: Option<u64>,
    pub(super) charset: Option<String>,
    pub(super) collation: Option<String>,
    pub(super) takes_null: bool,
    pub(super) default: Option<String>,
    /// In lower case.
    pub(super) extra: String,
}

/// A table as it is.
#[derive(Clone, Debug, Default)]
pub(super) struct FoundTable {
    pub(super) is_view: bool,
    pub(super) engine: String,
    pub(super) columns: Vec<Found>,
    /// Names of indices with their columns, in order.
    pub(super) indices: BTreeMap<String, Vec<String>>,
    /// What else reads the columns of the table, or is done when it is written: foreign keys, views
    /// and triggers, each as people know it.
    pub(super) readers: Vec<String>,
}

/// The tables of a prefix, by their names without it.
pub(super) type Catalogue = BTreeMap<&'static str, FoundTable>;

impl Found {
    pub(super) fn is_generated(&self) -> bool {
        self.extra.contains("virtual generated")
            || self.extra.contains("stored generated")
            || self.extra.contains("persistent")
    }
}

impl FoundTable {
    pub(super) fn column(&self, name: &str) -> Option<&Found> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// Whether a mirror made it, or took it: no other table of these names has such a column.
    pub(super) fn is_mirrors(&self) -> bool {
        self.column("seq").is_some_and(|seq| {
            seq.column_type.starts_with("bigint") && seq.column_type.contains("unsigned")
        })
    }
}

/// Reads the tables of a prefix.
pub(super) async fn read(conn: &mut Conn, prefix: Prefix) -> Result<Catalogue, Fault> {
    let mut catalogue = Catalogue::new();
    let names = quoted(prefix);
    let tables = format!(
        "SELECT table_name, table_type, COALESCE(engine, '') FROM information_schema.tables \
         WHERE table_schema = DATABASE() AND table_name IN ({names})"
    );
    let tables: Vec<(String, String, String)> = conn.query(tables).await?;
    for (name, kind, engine) in tables {
        let Some(name) = known(prefix, &name) else {
            continue;
        };
        let is_view = !kind.eq_ignore_ascii_case("BASE TABLE");
        catalogue.insert(name, FoundTable { is_view, engine, ..FoundTable::default() });
    }
    columns(conn, prefix, &names, &mut catalogue).await?;
    indices(conn, prefix, &names, &mut catalogue).await?;
    readers(conn, prefix, &names, &mut catalogue).await?;
    Ok(catalogue)
}

fn quoted(prefix: Prefix) -> String {
    let names: Vec<String> =
        TABLES.iter().map(|name| format!("'{}'", prefix.table(name))).collect();
    names.join(", ")
}

/// The table's name without its prefix. Some servers keep names in lower case, and ours are.
fn known(prefix: Prefix, name: &str) -> Option<&'static str> {
    let name = name.strip_prefix(prefix.text())?;
    TABLES.into_iter().find(|known| *known == name)
}

async fn columns(
    conn: &mut Conn,
    prefix: Prefix,
    names: &str,
    catalogue: &mut Catalogue,
) -> Result<(), Fault> {
    let query = format!(
        "SELECT table_name, column_name, data_type, column_type, character_maximum_length, numeric_precision, \
         numeric_scale, datetime_precision, character_set_name, collation_name, is_nullable, column_default, extra \
         FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name IN ({names}) \
         ORDER BY table_name, ordinal_position"
    );
    let rows: Vec<Row> = conn.query(query).await?;
    for row in rows {
        let text =
            |index: usize| row.get_opt::<Option<String>, _>(index).and_then(Result::ok).flatten();
        let number =
            |index: usize| row.get_opt::<Option<u64>, _>(index).and_then(Result::ok).flatten();
        let table = text(0).as_deref().and_then(|name| known(prefix, name));
        let Some(table) = table.and_then(|name| catalogue.get_mut(name)) else {
            continue;
        };
        table.columns.push(Found {
            name: text(1).unwrap_or_default(),
            data_type: text(2).unwrap_or_default().to_lowercase(),
            column_type: text(3).unwrap_or_default(),
            chars: number(4),
            digits: number(5),
            scale: number(6),
            fraction: number(7),
            charset: text(8),
            collation: text(9),
            takes_null: text(10).as_deref() == Some("YES"),
            // MariaDB says the word where MySQL says nothing.
            default: text(11).filter(|default| default != "NULL"),
            extra: text(12).unwrap_or_default().to_lowercase(),
        });
    }
    Ok(())
}

async fn indices(
    conn: &mut Conn,
    prefix: Prefix,
    names: &str,
    catalogue: &mut Catalogue,
) -> Result<(), Fault> {
    let query = format!(
        "SELECT table_name, index_name, COALESCE(column_name, '') FROM information_schema.statistics \
         WHERE table_schema = DATABASE() AND table_name IN ({names}) ORDER BY table_name, index_name, seq_in_index"
    );
    let rows: Vec<(String, String, String)> = conn.query(query).await?;
    for (table, index, column) in rows {
        if let Some(table) = known(prefix, &table).and_then(|name| catalogue.get_mut(name)) {
            table.indices.entry(index).or_default().push(column);
        }
    }
    Ok(())
}

async fn readers(
    conn: &mut Conn,
    prefix: Prefix,
    names: &str,
    catalogue: &mut Catalogue,
) -> Result<(), Fault> {
    let keys = format!(
        "SELECT table_schema, table_name, constraint_name, column_name, referenced_table_schema, referenced_table_name, \
         referenced_column_name, DATABASE() FROM information_schema.key_column_usage \
         WHERE referenced_table_name IS NOT NULL AND ((table_schema = DATABASE() AND table_name IN ({names})) \
         OR (referenced_table_schema = DATABASE() AND referenced_table_name IN ({names})))"
    );
    type Key = (String, String, String, String, String, String, String, String);
    let rows: Vec<Key> = conn.query(keys).await?;
    for (schema, table, constraint, column, to_schema, to_table, to_column, here) in rows {
        let what = format!(
            "the foreign key {constraint} of {schema}.{table} ({column}), which refers to {to_schema}.{to_table} ({to_column})"
        );
        let ends = [(schema, table), (to_schema, to_table)];
        let ours = ends
            .iter()
            .filter(|(schema, _)| *schema == here)
            .filter_map(|(_, table)| known(prefix, table));
        for name in ours {
            if let Some(found) =
                catalogue.get_mut(name).filter(|found| !found.readers.contains(&what))
            {
                found.readers.push(what.clone());
            }
        }
    }
    let views = "SELECT table_name, view_definition FROM information_schema.views WHERE table_schema = DATABASE()";
    let views: Vec<(String, Option<String>)> = conn.query(views).await?;
    for (view, definition) in views {
        let definition = definition.unwrap_or_default();
        for (name, found) in catalogue.iter_mut() {
            if definition.contains(&format!("`{}`", prefix.table(name))) {
                found.readers.push(format!("the view {view}"));
            }
        }
    }
    let triggers = format!(
        "SELECT trigger_name, event_object_table FROM information_schema.triggers \
         WHERE event_object_schema = DATABASE() AND event_object_table IN ({names})"
    );
    let triggers: Vec<(String, String)> = conn.query(triggers).await?;
    for (trigger, table) in triggers {
        if let Some(found) = known(prefix, &table).and_then(|name| catalogue.get_mut(name)) {
            found.readers.push(format!("the trigger {trigger}"));
        }
    }
    Ok(())
}
