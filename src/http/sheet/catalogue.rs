//! Categories and products as a table: one column for each field of either.

use serde_json::{Map, Value};

use super::table::{Cell, Columns};
use crate::mall::fields::{CategoryFields, ProductFields, members, read_category, read_product};
use crate::mall::{Category, Entry, Product, Violation};

/// As a file of `stockhold catalogue` has them.
pub(crate) const COLUMNS: Columns = &[
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

/// What the members of an object are: `kind` says it, and without one it is a product.
pub(crate) fn entry(mut members: Map<String, Value>) -> std::result::Result<Entry, Violation> {
    match members.remove("kind").as_ref().map(Value::as_str) {
        None | Some(Some("product")) => read_product(None, members).map(Entry::Product),
        Some(Some("category")) => read_category(None, members).map(Entry::Category),
        Some(Some(_) | None) => {
            Err(Violation::new("$.kind", "it must be \"category\" or \"product\""))
        }
    }
}

/// The members of a category, as a line of a file has them.
pub(crate) fn category(category: &Category) -> Map<String, Value> {
    of_kind("category", members(&CategoryFields::of(category)))
}

/// The same of a product.
pub(crate) fn product(product: &Product) -> Map<String, Value> {
    of_kind("product", members(&ProductFields::of(product)))
}

fn of_kind(kind: &str, mut members: Map<String, Value>) -> Map<String, Value> {
    members.insert("kind".to_owned(), kind.into());
    members
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::sheet::rows;

    #[test]
    fn every_field_has_a_column() {
        let product = r#"{"id":"a","name":"A","categoryId":"c","pointsPrice":1}"#;
        let category = r#"{"kind":"category","id":"a","name":"A"}"#;
        for line in [product, category] {
            let object = serde_json::from_str(line).expect("it is JSON");
            let members = match entry(object).expect("it is valid") {
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
        let lines = rows(text.as_bytes(), COLUMNS, entry).expect("it can be read");
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
        let error =
            rows("id,colour\n".as_bytes(), COLUMNS, entry).expect_err("no such column").to_string();
        assert!(error.contains("line 1") && error.contains("\"colour\""), "{error}");
    }
}
