//! Tables: a line of names, and a cell that is empty where a field is absent.

use std::io::{Read, Write};

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::base::error::{Error, Result};
use crate::http::document::object as exact_object;
use crate::mall::{Violation, member};

/// What stands in the cells of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// The text itself.
    Text,
    /// JSON: numbers, true and false, and whatever has parts.
    Json,
}

/// Lines with their numbers, each read or refused.
pub(crate) type Lines<T> = Vec<(u64, std::result::Result<T, Violation>)>;

/// What reads the members of a line.
pub(crate) type Reads<T> = fn(Map<String, Value>) -> std::result::Result<T, Violation>;

/// The columns of a table, by their names.
pub(crate) type Columns = &'static [(&'static str, Cell)];

/// The rows of a table, in the order of its own columns.
///
/// # Errors
/// When the file cannot be read, or its head names a column that is none.
pub(crate) fn rows<T>(file: impl Read, known: Columns, entry: Reads<T>) -> Result<Lines<T>> {
    let mut reader = csv::Reader::from_reader(file);
    let head = reader.headers().map_err(unreadable)?;
    let columns = head.iter().map(|name| column(known, name)).collect::<Result<Vec<_>>>()?;
    let mut lines = Vec::new();
    for record in reader.records() {
        lines.push(match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                let cells = columns.iter().zip(&record);
                let members: std::result::Result<Map<String, Value>, Violation> = cells
                    .filter(|(_, cell)| !cell.is_empty())
                    .map(|(&(name, kind), cell)| Ok((name.to_owned(), value(name, kind, cell)?)))
                    .collect();
                (line, members.and_then(entry))
            }
            Err(error) if matches!(error.kind(), csv::ErrorKind::Io(_)) => {
                return Err(unreadable(error));
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                (line, Err(Violation::new("$", error.to_string())))
            }
        });
    }
    Ok(lines)
}

fn column(known: Columns, name: &str) -> Result<(&'static str, Cell)> {
    let column = known.iter().copied().find(|(known, _)| *known == name.trim());
    column.ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        Error::invalid(format!("line 1: there is no column {name:?}, only {names}"))
    })
}

fn value(name: &str, kind: Cell, cell: &str) -> std::result::Result<Value, Violation> {
    if kind == Cell::Text {
        return Ok(Value::String(cell.to_owned()));
    }
    let path = member("$", name);
    let wrong = |error: serde_json::Error| {
        Violation::new(path.clone(), format!("the cell is no JSON: {error}"))
    };
    // In an object, so that numbers are kept exactly, and what is wrong is told with its path.
    let cell: &RawValue = serde_json::from_str(cell).map_err(wrong)?;
    let object = RawValue::from_string(format!("{{\"{name}\":{cell}}}")).map_err(wrong)?;
    Ok(exact_object(&object)?.remove(name).unwrap_or_default())
}

/// A table that is being written.
pub(crate) struct Sheet<W: Write> {
    writer: csv::Writer<W>,
    columns: Columns,
}

impl<W: Write> Sheet<W> {
    /// # Errors
    /// When it cannot be written, as for all that follows.
    pub(crate) fn new(file: W, columns: Columns) -> Result<Self> {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(columns.iter().map(|(name, _)| name)).map_err(unwritable)?;
        Ok(Self { writer, columns })
    }

    /// Writes a row.
    pub(crate) fn row(&mut self, members: &Map<String, Value>) -> Result<()> {
        let cell = |&(name, kind): &(&str, Cell)| match (members.get(name), kind) {
            (None | Some(Value::Null), _) => String::new(),
            (Some(Value::String(text)), Cell::Text) => text.clone(),
            (Some(value), Cell::Text | Cell::Json) => value.to_string(),
        };
        self.writer.write_record(self.columns.iter().map(cell)).map_err(unwritable)
    }

    /// Whatever is left of it.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.writer.flush().map_err(|cause| Error::io("writing the table", cause))
    }
}

fn unreadable(cause: csv::Error) -> Error {
    Error::invalid(format!("the table cannot be read: {cause}")).with_source(cause)
}

fn unwritable(cause: csv::Error) -> Error {
    Error::unavailable(format!("the table cannot be written: {cause}")).with_source(cause)
}
