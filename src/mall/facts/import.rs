//! An import of the catalogue that is under way: everything that is to be written, before any of it is.
//!
//! What is to be written is one row of bytes, cut into the bodies of documents, the pieces. A last
//! document, the seal, says that the pieces are whole: it decides. Without it nothing was imported;
//! with it everything is, whatever part is where it belongs.

use serde::{Deserialize, Serialize};

use crate::base::BODY_BYTES_MAX;
use crate::base::bytes::Reader;

/// The collection of the pieces and of the seal.
pub(crate) const IMPORTS: &str = "import";
/// The seal's name. Pieces are called by their numbers.
pub(crate) const SEAL: &str = "seal";
const VERSION: u32 = 1;

/// A document that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) collection: String,
    pub(crate) id: String,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Seal {
    version: u32,
    pieces: usize,
}

/// Documents as pieces, each with its name.
pub(crate) fn pieces(all: &[Pending]) -> Vec<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    for Pending { collection, id, body } in all {
        for field in [collection.as_bytes(), id.as_bytes(), body] {
            // Bounded: by how long a document and its name may be.
            bytes.extend_from_slice(&(field.len() as u32).to_le_bytes());
            bytes.extend_from_slice(field);
        }
    }
    let cut = bytes.chunks(BODY_BYTES_MAX).enumerate();
    cut.map(|(number, piece)| (name(number), piece.to_vec())).collect()
}

/// The seal of so many pieces.
pub(crate) fn seal(pieces: usize) -> Vec<u8> {
    serde_json::to_vec(&Seal { version: VERSION, pieces }).expect("two numbers can be written")
}

/// What is to be written, of the documents of the collection; nothing where there is no seal.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn sealed(documents: &[(String, Vec<u8>)]) -> Result<Vec<Pending>, String> {
    let Some((_, seal)) = documents.iter().find(|(name, _)| name == SEAL) else {
        return Ok(Vec::new());
    };
    let Seal { version, pieces } =
        serde_json::from_slice(seal).map_err(|error| format!("its seal: {error}"))?;
    if version != VERSION {
        return Err(format!("it is of version {version}, and this release reads {VERSION}"));
    }
    let mut bytes = Vec::new();
    for number in 0..pieces {
        let of_number = |(_, other): &(usize, &(String, Vec<u8>))| other.0 == name(number);
        // Pieces stand in the order of their names, before the seal.
        let piece = documents.get(number).map(|piece| (number, piece)).filter(of_number);
        let (_, (_, piece)) = piece.ok_or_else(|| format!("piece {number} is missing"))?;
        bytes.extend_from_slice(piece);
    }
    let (mut rest, mut all) = (Reader::new(&bytes), Vec::new());
    while !rest.rest().is_empty() {
        all.push(read(&mut rest).ok_or("a piece is malformed")?);
    }
    Ok(all)
}

fn read(rest: &mut Reader<'_>) -> Option<Pending> {
    let mut field = || {
        let length = usize::try_from(rest.u32()?).ok()?;
        rest.bytes(length).map(<[u8]>::to_vec)
    };
    let text = |bytes| String::from_utf8(bytes).ok();
    let (collection, id) = (text(field()?)?, text(field()?)?);
    Some(Pending { collection, id, body: field()? })
}

fn name(number: usize) -> String {
    format!("{number:08}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(id: &str, bytes: usize) -> Pending {
        Pending { collection: "product".into(), id: id.into(), body: vec![b'x'; bytes] }
    }

    #[test]
    fn pieces_keep_their_bytes_and_the_seal_decides() {
        let all = [pending("tea", 2)];
        let mut kept = pieces(&all);
        let bytes = b"\x07\0\0\0product\x03\0\0\0tea\x02\0\0\0xx";
        assert_eq!(kept, [("00000000".to_owned(), bytes.to_vec())]);
        assert_eq!(sealed(&kept), Ok(Vec::new()), "without a seal it is nothing");
        kept.push((SEAL.to_owned(), br#"{"version":1,"pieces":1}"#.to_vec()));
        assert_eq!(kept[1].1, seal(1));
        assert_eq!(sealed(&kept), Ok(all.to_vec()));
    }

    #[test]
    fn what_is_long_is_cut_and_what_is_not_whole_is_named() {
        let all = [pending("a", BODY_BYTES_MAX), pending("b", 0), pending("c", BODY_BYTES_MAX)];
        let mut kept = pieces(&all);
        assert_eq!(kept.len(), 3);
        assert!(kept.iter().all(|(_, piece)| piece.len() <= BODY_BYTES_MAX));
        kept.push((SEAL.to_owned(), seal(3)));
        assert_eq!(sealed(&kept), Ok(all.to_vec()));
        let mut cut = kept.clone();
        cut.remove(1);
        assert!(sealed(&cut).is_err_and(|why| why.contains("piece 1 is missing")));
        kept[2].1.pop();
        assert!(sealed(&kept).is_err_and(|why| why.contains("malformed")));
        let later = [(SEAL.to_owned(), br#"{"version":2,"pieces":0}"#.to_vec())];
        assert!(sealed(&later).is_err_and(|why| why.contains("version 2")));
    }
}
