//! The objects of one backup, opened and closed with its key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::names::{HEAD, JOURNAL, SNAPSHOTS, SegmentName, SnapshotName};
use super::seal::{self, Key};
use super::target::Target;
use crate::base::error::{Error, Result};
use crate::journal::SegmentCopy;

/// The version of the names and of what is in the objects.
const VERSION: u32 = 1;

/// What `backup.json` says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    version: u32,
    /// Of which data directory it is: its number, in hexadecimal digits.
    directory: String,
    /// Where the other objects are encrypted: `directory`, encrypted with the same key, so that
    /// another key is known before it encrypts anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

/// A backup at a target.
pub(crate) struct Repository<'a> {
    target: &'a dyn Target,
    key: Option<&'a Key>,
}

impl<'a> Repository<'a> {
    /// The backup of the data directory `directory` at `target`, which is begun where there is none.
    ///
    /// # Errors
    /// `Conflict` when the target has the backup of another directory, `Invalid` when it is
    /// encrypted and there is no key or the other way round, `Corrupt` when it is of a version that
    /// is not known, `Unavailable` when it cannot be reached.
    pub(super) fn begin(
        target: &'a dyn Target,
        key: Option<&'a Key>,
        directory: u128,
    ) -> Result<Self> {
        let this = Self { target, key };
        let directory = format!("{directory:032x}");
        let Some(head) = this.head()? else {
            let sealed = key.map(|key| key.seal(HEAD, directory.as_bytes())).transpose()?;
            let sealed = sealed.map(|sealed| BASE64.encode(sealed));
            let head = Head { version: VERSION, directory, sealed };
            let text = serde_json::to_vec_pretty(&head).map_err(|cause| {
                Error::unavailable("the head of the backup cannot be written").with_source(cause)
            })?;
            target.put(HEAD, &text)?;
            return Ok(this);
        };
        if head.directory != directory {
            return Err(Error::conflict(format!(
                "{} has the backup of another data directory ({}, and this is {directory}): a copy of a directory is \
                 another one from its first start on, and needs a backup of its own",
                target.name(),
                head.directory,
            )));
        }
        this.check(&head)
    }

    /// The backup that is there.
    ///
    /// # Errors
    /// `NotFound` when there is none, and those of [`Self::begin`].
    pub(super) fn open(target: &'a dyn Target, key: Option<&'a Key>) -> Result<Self> {
        let this = Self { target, key };
        match this.head()? {
            Some(head) => this.check(&head),
            None => Err(Error::not_found(format!("there is no backup in {}", target.name()))),
        }
    }

    fn head(&self) -> Result<Option<Head>> {
        let Some(text) = self.target.get(HEAD)? else { return Ok(None) };
        let head = serde_json::from_slice(&text).map_err(|cause| {
            Error::corrupt(format!("{HEAD} of {} cannot be read: {cause}", self.target.name()))
        });
        head.map(Some)
    }

    fn check(self, head: &Head) -> Result<Self> {
        let name = self.target.name();
        if head.version != VERSION {
            return Err(Error::corrupt(format!(
                "the backup in {name} is of version {}, and this program knows version {VERSION}: a newer program wrote it. \
                 Nothing was changed. Use that program or a later one, or another place for a new backup",
                head.version
            )));
        }
        match (&head.sealed, self.key) {
            (Some(_), None) => {
                Err(Error::invalid(format!("the backup in {name} is encrypted: name its key file")))
            }
            (Some(sealed), Some(key)) => {
                let sealed = BASE64.decode(sealed).unwrap_or_default();
                match key.open(HEAD, &sealed).as_deref() == Ok(head.directory.as_bytes()) {
                    true => Ok(self),
                    false => Err(Error::invalid(format!(
                        "the backup in {name} is encrypted with another key"
                    ))),
                }
            }
            (None, Some(_)) => Err(Error::invalid(format!(
                "the backup in {name} is not encrypted: leave the key file out, or begin another backup elsewhere"
            ))),
            (None, None) => Ok(self),
        }
    }

    /// The segments that are there, oldest first; of one that was copied several times the longest.
    pub(super) fn segments(&self) -> Result<Vec<SegmentName>> {
        let mut names = self.all_segments()?;
        let mut kept: Vec<SegmentName> = Vec::new();
        // Sorted: what covers another comes after it.
        names.sort_unstable();
        for name in names {
            if kept.last().is_some_and(|last| name.covers(last)) {
                kept.pop();
            }
            kept.push(name);
        }
        Ok(kept)
    }

    /// Every copy of a segment that is there.
    pub(super) fn all_segments(&self) -> Result<Vec<SegmentName>> {
        let objects = self.target.list(JOURNAL)?;
        Ok(objects.iter().filter_map(|object| SegmentName::parse(object)).collect())
    }

    /// The snapshots that are there, oldest first.
    pub(super) fn snapshots(&self) -> Result<Vec<SnapshotName>> {
        let objects = self.target.list(SNAPSHOTS)?;
        let mut names: Vec<_> =
            objects.iter().filter_map(|object| SnapshotName::parse(object)).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Fetches a segment and verifies every record of it.
    ///
    /// # Errors
    /// `Corrupt` when it is not what its name says, `NotFound` when it is gone, `Unavailable` when
    /// it cannot be fetched.
    pub(super) fn segment(&self, name: &SegmentName) -> Result<SegmentCopy> {
        let object = name.object();
        let packed = self.fetch(&object)?;
        let damaged = |what: &str| self.damaged(&object, what);
        let copy = SegmentCopy::unpack(&packed, name.last_seq).map_err(|what| damaged(&what))?;
        let mark = copy.mark();
        match (copy.first_seq(), mark.salt, mark.crc) == (name.first_seq, name.salt, name.crc) {
            true => Ok(copy),
            false => Err(damaged("it is another segment than its name says")),
        }
    }

    /// An object as it was before it was encrypted.
    ///
    /// # Errors
    /// As [`Self::segment`].
    pub(super) fn fetch(&self, object: &str) -> Result<Vec<u8>> {
        let content = self.target.get(object)?.ok_or_else(|| {
            Error::not_found(format!("{object} is no longer in {}", self.target.name()))
        })?;
        match self.key {
            Some(key) => key.open(object, &content).map_err(|what| self.damaged(object, what)),
            None if seal::is_sealed(&content) => Err(self.damaged(object, "it is encrypted")),
            None => Ok(content),
        }
    }

    /// Writes an object and reads it back.
    ///
    /// # Errors
    /// `Corrupt` when something else comes back, `Unavailable` when the target fails. Returns how
    /// many bytes it takes.
    pub(super) fn store(&self, object: &str, content: &[u8]) -> Result<u64> {
        let sealed = self.key.map(|key| key.seal(object, content)).transpose()?;
        let written = sealed.as_deref().unwrap_or(content);
        self.target.put(object, written)?;
        match self.fetch(object)? == content {
            true => Ok(written.len() as u64),
            false => Err(self.damaged(object, "it was read back otherwise than it was written")),
        }
    }

    pub(super) fn delete(&self, object: &str) -> Result<()> {
        self.target.delete(object)
    }

    pub(super) fn damaged(&self, object: &str, what: &str) -> Error {
        Error::corrupt(format!("{object} in {} is damaged: {what}", self.target.name()))
    }
}
