//! Categories and products as a table: one column for each field of either, and a cell that is
//! empty where a field is absent.

use std::io::{Read, Write};

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::lines::{Lines, Reads};
use crate::base::error::{Error, Result};
use crate::http::exact_object;
use crate::mall::{Violation, member};

/// What stands in the cells of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Cell {
    /// The text itself.
    Text,
    /// JSON: numbers, true and false, and whatever has parts.
    Json,
}

pub(super) const COLUMNS: [(&str, Cell); 21] = [
    ("kind", Cell::Text),
    ("id", Cell::Text),
    ("name", Cell::Text),
    ("description", Cell::Text),
    ("icon", Cell::Text),
    ("parentId", Cell::Text),
    ("categoryId", Cell::Text),
    ("pointsPrice", Cell::Json),
    ("originalPrice", Cell::Json),
    ("images", Cell::Json),
    ("specifications", Cell::Json),
    ("isHot", Cell::Json),
    ("isNew", Cell::Json),
    ("status", Cell::Json),
    ("sortOrder", Cell::Json),
    ("limitPerUser", Cell::Json),
    ("lowStockThreshold", Cell::Json),
    ("byLevel", Cell::Json),
    ("waitingPlaces", Cell::Json),
    ("saleStartsAt", Cell::Json),
    ("createdAt", Cell::Json),
];

/// The rows of a table, in the order of its own columns.
///
/// # Errors
/// When the file cannot be read, or its head names a column that is none.
pub(in crate::cli) fn rows<T>(
    file: impl Read,
    known: &[(&'static str, Cell)],
    entry: Reads<T>,
) -> Result<Lines<T>> {
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

fn column(known: &[(&'static str, Cell)], name: &str) -> Result<(&'static str, Cell)> {
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
pub(super) struct Sheet<W: Write>(csv::Writer<W>);

impl<W: Write> Sheet<W> {
    pub(super) fn new(file: W) -> Result<Self> {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(COLUMNS.map(|(name, _)| name)).map_err(unwritable)?;
        Ok(Self(writer))
    }

    pub(super) fn row(&mut self, members: &Map<String, Value>) -> Result<()> {
        let cell = |(name, kind)| match (members.get(name), kind) {
            (None | Some(Value::Null), _) => String::new(),
            (Some(Value::String(text)), Cell::Text) => text.clone(),
            (Some(value), Cell::Text | Cell::Json) => value.to_string(),
        };
        self.0.write_record(COLUMNS.map(cell)).map_err(unwritable)
    }

    pub(super) fn finish(mut self) -> Result<()> {
        self.0.flush().map_err(|cause| Error::io("writing the table", cause))
    }
}

fn unreadable(cause: csv::Error) -> Error {
    Error::invalid(format!("the table cannot be read: {cause}")).with_source(cause)
}

fn unwritable(cause: csv::Error) -> Error {
    Error::unavailable(format!("the table cannot be written: {cause}")).with_source(cause)
}

#[cfg(test)]
mod tests {
    use super::super::lines::entry;
    use super::*;
    use crate::mall::Entry;
    use crate::mall::fields::{CategoryFields, ProductFields, members};

    #[test]
    fn every_field_has_a_column() {
        let product = r#"{"id":"a","name":"A","categoryId":"c","pointsPrice":1}"#;
        let category = r#"{"kind":"category","id":"a","name":"A"}"#;
        let text = format!("{product}\n{category}");
        let lines =
            super::super::lines::json_lines(text.as_bytes(), entry).expect("it can be read");
        for (_, line) in lines {
            let members = match line.expect("it is valid") {
                Entry::Product(product) => members(&ProductFields::of(&product)),
                Entry::Category(category) => members(&CategoryFields::of(&category)),
            };
            for name in members.keys() {
                assert!(COLUMNS.iter().any(|(known, _)| known == name), "{name}");
            }
        }
    }

    #[test]
    fn a_row_is_a_document_or_is_told_with_its_line() {
        let text = "name,kind,id,categoryId,pointsPrice,specifications,description\n\
            Tea,,tea,food,5,\"{\"\"重量\"\":[117.63331139400017]}\",\"two\nlines\"\n\
            Cup,product,cup,food,x,,\n\
            Pot,product,pot,food,,,\n\
            Food,category,food,,,,\n\
            short,row\n\
            Can,product,can,food,5,\"{\"\"a\"\":0.10000000000000001}\",\n";
        let lines = rows(text.as_bytes(), &COLUMNS, entry).expect("it can be read");
        let told: Vec<String> = lines
            .iter()
            .map(|(line, entry)| match entry {
                Ok(Entry::Category(category)) => format!("{line} category {}", category.id),
                Ok(Entry::Product(product)) => format!("{line} product {}", product.id),
                Err(violation) => format!("{line} {}", violation.path),
            })
            .collect();
        let expected = [
            "2 product tea",
            "4 $.pointsPrice",
            "5 $.pointsPrice",
            "6 category food",
            "7 $",
            "8 $.specifications.a",
        ];
        assert_eq!(told, expected);
        let Ok(Entry::Product(tea)) = &lines[0].1 else { panic!("it is a product") };
        assert_eq!(tea.description, "two\nlines");
        assert_eq!(tea.specifications["重量"][0].to_string(), "117.63331139400017");
        let error = rows("id,colour\n".as_bytes(), &COLUMNS, entry)
            .expect_err("no such column")
            .to_string();
        assert!(error.contains("line 1") && error.contains("\"colour\""), "{error}");
    }
}
