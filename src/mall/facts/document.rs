//! The documents of the catalogue: JSON, with the version of its fields.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};

/// The version that is written. A field that is added with a default needs no new one.
const VERSION: u8 = 1;

/// A document that says its version; one of before the field is of version 1.
#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    #[serde(default = "first")]
    version: u8,
    #[serde(flatten)]
    content: T,
}

fn first() -> u8 {
    1
}

/// A document as it is kept.
///
/// # Errors
/// `Invalid` when it cannot be written as JSON.
pub(crate) fn written<T: Serialize>(content: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(&Versioned { version: VERSION, content })
        .map_err(|cause| Error::invalid("a document cannot be written as JSON").with_source(cause))
}

/// What a document says.
///
/// # Errors
/// Why it cannot be read: for people.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> std::result::Result<T, String> {
    let read = serde_json::from_slice::<Versioned<T>>(body);
    let Versioned { version, content } = read.map_err(|error| error.to_string())?;
    match version {
        VERSION => Ok(content),
        other => Err(format!("it is of version {other}, and this release reads {VERSION}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mall::model::{Category, Product};

    /// As the first release wrote it, without a version.
    const PRODUCT: &str = r#"{"id":"tea","name":"Tea","categoryId":"food","pointsPrice":5,"active":true,
        "limitPerUser":{"quantity":2,"period":{"rolling":{"lengthMs":1000}}}}"#;
    /// As it is written now.
    const CATEGORY: &str = r#"{"version":1,"id":"food","name":"Food","description":"","icon":null,"parentId":null,"level":1,"sortOrder":0,"active":true}"#;

    #[test]
    fn documents_keep_their_bytes_and_those_of_before_are_read() {
        let category: Category = read(CATEGORY.as_bytes()).expect("it is of this release");
        let bytes = written(&category).expect("it can be written");
        assert_eq!(String::from_utf8_lossy(&bytes), CATEGORY);
        let product: Product = read(PRODUCT.as_bytes()).expect("it is of the first release");
        assert_eq!((product.name.as_str(), product.points_price), ("Tea", 5));
        let again = written(&product).expect("it can be written");
        assert_eq!(read::<Product>(&again).expect("it reads back"), product);
    }

    #[test]
    fn a_document_of_a_later_version_is_not_guessed_at() {
        let later = CATEGORY.replace("\"version\":1", "\"version\":2");
        let why = read::<Category>(later.as_bytes()).expect_err("it is of a later release");
        assert!(why.contains("version 2"), "{why}");
    }
}
