//! The documents of the catalogue: JSON, with the version of its fields.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::base::TimeMs;
use crate::base::error::{Error, Result};

/// The version that is written. A field that is added with a default needs no new one.
const VERSION: u8 = 1;

/// A document that says its version; one without the field is of version 1.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Versioned<T> {
    #[serde(default = "first")]
    version: u8,
    #[serde(flatten)]
    content: T,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated_at: Option<TimeMs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated_by: Option<String>,
}

fn first() -> u8 {
    1
}

/// When a document was written, and by whom; documents of before do not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) updated_at: Option<TimeMs>,
    /// Absent where a program wrote it that embeds the mall.
    pub(crate) updated_by: Option<String>,
}

/// A number that tells one writing of a document from any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(u64);

impl Tag {
    fn of(body: &[u8]) -> Self {
        let [first, _] = crate::base::halves(blake3::Hasher::new().update(body));
        Self(first)
    }

    /// A tag as it is shown.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_hex = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        let number = || u64::from_str_radix(text, 16).ok().map(Self);
        (text.len() == 16 && text.bytes().all(is_hex)).then(number).flatten()
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A document with what is known of its writing.
#[derive(Clone, Debug)]
pub(crate) struct Kept<T> {
    pub(crate) content: T,
    pub(crate) stamp: Stamp,
    pub(crate) tag: Tag,
}

impl<T> Kept<T> {
    /// What holds as long as there is no document.
    pub(crate) fn unwritten(content: T) -> Self {
        Self { content, stamp: Stamp::default(), tag: Tag::of(&[]) }
    }
}

/// A document as it is kept, and its bytes.
///
/// # Errors
/// `Invalid` when it cannot be written as JSON.
pub(crate) fn written<T: Serialize>(content: T, stamp: Stamp) -> Result<(Kept<T>, Vec<u8>)> {
    let Stamp { updated_at, updated_by } = stamp;
    let document = Versioned { version: VERSION, content, updated_at, updated_by };
    let body = serde_json::to_vec(&document).map_err(|cause| {
        Error::invalid("a document cannot be written as JSON").with_source(cause)
    })?;
    let Versioned { content, updated_at, updated_by, .. } = document;
    let stamp = Stamp { updated_at, updated_by };
    Ok((Kept { content, stamp, tag: Tag::of(&body) }, body))
}

/// What a document says.
///
/// # Errors
/// Why it cannot be read: for people.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> std::result::Result<Kept<T>, String> {
    let read = serde_json::from_slice::<Versioned<T>>(body);
    let Versioned { version, content, updated_at, updated_by } =
        read.map_err(|error| error.to_string())?;
    match version {
        VERSION => {
            let stamp = Stamp { updated_at, updated_by };
            Ok(Kept { content, stamp, tag: Tag::of(body) })
        }
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

    /// The same, by an operator.
    const STAMPED: &str = r#"{"version":1,"id":"food","name":"Food","description":"","icon":null,"parentId":null,"level":1,"sortOrder":0,"active":true,"updatedAt":7,"updatedBy":"root"}"#;

    #[test]
    fn documents_keep_their_bytes_and_those_of_before_are_read() {
        for (bytes, stamp) in [
            (CATEGORY, Stamp::default()),
            (STAMPED, Stamp { updated_at: Some(7), updated_by: Some("root".into()) }),
        ] {
            let read: Kept<Category> = read(bytes.as_bytes()).expect("it is of this release");
            assert_eq!(read.stamp, stamp);
            let (again, body) = written(read.content, stamp).expect("it can be written");
            assert_eq!((String::from_utf8_lossy(&body).as_ref(), again.tag), (bytes, read.tag));
        }
        let product: Product =
            read(PRODUCT.as_bytes()).expect("it is of the first release").content;
        assert_eq!((product.name.as_str(), product.points_price), ("Tea", 5));
        let (kept, body) = written(product, Stamp::default()).expect("it can be written");
        assert_eq!(read::<Product>(&body).expect("it reads back").content, kept.content);
    }

    #[test]
    fn a_tag_is_of_one_writing() {
        let tag = |bytes: &str| read::<Category>(bytes.as_bytes()).expect("it reads").tag;
        assert_ne!(tag(CATEGORY), tag(STAMPED));
        let shown = tag(CATEGORY).to_string();
        assert_eq!(Tag::parse(&shown), Some(tag(CATEGORY)));
        for other in ["", "7", "+123456789abcdef", "0123456789ABCDEF", "0123456789abcdef0"] {
            assert_eq!(Tag::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_document_of_a_later_version_is_not_guessed_at() {
        let later = CATEGORY.replace("\"version\":1", "\"version\":2");
        let why = read::<Category>(later.as_bytes()).expect_err("it is of a later release");
        assert!(why.contains("version 2"), "{why}");
    }
}
