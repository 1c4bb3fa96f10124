//! A store read through a copy of it: sled changes what it opens, and a directory may be in use.

use std::path::{Path, PathBuf};

use super::block;
use super::files::{self, Contents};
use super::key::{Key, KeyRange};
use super::manifest::Manifest;
use super::open::{self, Loaded, Refusal, StoreConfig};
use super::row;
use super::view::View;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::{AccountId, ReservationId, Seq};
use crate::event::branch::Branch;
use crate::history::record::{ChangeRecord, Course, ReservationRecord, ReservationState, Touched};

/// How often a directory is copied that changes meanwhile.
const COPIES_MAX: usize = 20;

/// A copy of a store, open.
pub(crate) struct StoreCopy(Loaded);

/// What there is of a store.
#[allow(clippy::large_enum_variant, reason = "an audit has one of them")]
pub(crate) enum Copied {
    /// There is no history to copy.
    Nothing,
    /// It was written to however often it was copied.
    Busy,
    /// It cannot be used, and an engine would set it aside.
    Damaged(String),
    Sound(StoreCopy),
}

/// A row as it stands.
pub(crate) enum Row {
    /// A reservation, with the last event that changed it.
    Reservation {
        seq: Seq,
        id: ReservationId,
        state: ReservationState,
    },
    /// Which accounts an event changed.
    Event(Seq),
    /// That a reservation was made on behalf of an account, with the event that made it.
    Owner(Seq),
    Change(ChangeRecord),
    /// What the store keeps for itself.
    Own,
}

impl StoreCopy {
    /// Copies the store in `dir`, and its manifest, into the empty directory `scratch`, and opens
    /// the copy. Nothing in `dir` is changed.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be read or copied. Damage is not an error.
    pub(crate) fn take(dir: &Path, scratch: &Path) -> Result<Copied> {
        for number in 0..COPIES_MAX {
            let target = scratch.join(format!("store-{number}"));
            let before = files::picture(dir).map_err(|error| reading(dir, error))?;
            let manifest = match Manifest::read(dir) {
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    return Ok(Copied::Damaged(error.to_string()));
                }
                manifest => manifest?,
            };
            let contents = files::contents(dir).map_err(|error| reading(dir, error))?;
            let manifest = match (contents, manifest) {
                (Contents::Nothing | Contents::Empty, None) => return Ok(Copied::Nothing),
                (Contents::Nothing | Contents::Empty, Some(_)) => {
                    return Ok(Copied::Damaged("its directory is gone or empty".into()));
                }
                (Contents::Something, None) => {
                    return Ok(Copied::Damaged("it has no manifest".into()));
                }
                (Contents::Something, Some(manifest)) => manifest,
            };
            files::copy_tree(dir, &target).map_err(|error| reading(dir, error))?;
            if files::picture(dir).map_err(|error| reading(dir, error))? == before {
                return Self::open(target, manifest);
            }
        }
        Ok(Copied::Busy)
    }

    fn open(dir: PathBuf, manifest: Manifest) -> Result<Copied> {
        if manifest.damaged {
            return Ok(Copied::Damaged("a read found damage in it".into()));
        }
        // Its rows are read one by one later.
        let config = StoreConfig { verify_rows_max: 0, ..StoreConfig::default() };
        let limit = open::limit_for(&dir, config);
        let opened = open::in_time(limit, move || open::load(&dir, config, manifest));
        match opened {
            Ok(loaded) => Ok(Copied::Sound(Self(loaded))),
            Err(Refusal::Unavailable(error)) => Err(error),
            Err(Refusal::Damaged(reason)) => Ok(Copied::Damaged(reason)),
        }
    }

    /// The first event that is in it.
    pub(crate) fn first_seq(&self) -> Seq {
        self.0.manifest.first_seq
    }

    /// Everything up to here is in it.
    pub(crate) fn watermark(&self) -> Seq {
        self.0.manifest.watermark
    }

    /// The events up to the watermark, as they stood in their journal.
    pub(crate) fn branch(&self) -> Branch {
        self.0.manifest.branch
    }

    /// How many rows it has at least.
    pub(crate) fn rows_min(&self) -> u64 {
        self.0.manifest.rows
    }

    /// A reservation, with the last event that changed it.
    ///
    /// # Errors
    /// `Corrupt`, naming the key, when the row fails its checksum.
    pub(crate) fn reservation(
        &self,
        reservation: ReservationId,
    ) -> Result<Option<(Seq, ReservationRecord)>> {
        let key = Key::reservation(reservation);
        let Some(found) = self.view().get(key)? else {
            return Ok(None);
        };
        Ok(Some((found.seq, row::decode_reservation(key, reservation, found.payload())?)))
    }

    /// The change of an account by an event, after which it made `later` more of it.
    ///
    /// # Errors
    /// As [`StoreCopy::reservation`].
    pub(crate) fn change(
        &self,
        account: AccountId,
        seq: Seq,
        later: u16,
    ) -> Result<Option<ChangeRecord>> {
        let key = Key::change(account, seq, later);
        let found = self.view().get(key)?;
        found.map(|found| row::decode_change(key, found.seq, found.payload())).transpose()
    }

    /// Whether a reservation is in the index of its owner.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` when sled cannot read.
    pub(crate) fn is_indexed(&self, owner: AccountId, reservation: ReservationId) -> Result<bool> {
        Ok(self.view().get(Key::owner(owner, reservation))?.is_some())
    }

    /// Which accounts an event changed in this way, as the index has it.
    ///
    /// # Errors
    /// As [`StoreCopy::reservation`].
    pub(crate) fn touched(&self, course: Course, seq: Seq) -> Result<Option<Touched>> {
        let key = Key::event(course, seq);
        let found = self.view().get(key)?;
        found.map(|found| row::decode_touched(key, found.seq, found.payload())).transpose()
    }

    /// The first event of the index, which an earlier release did not have.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` when sled cannot read.
    pub(crate) fn indexed_from(&self) -> Result<Option<Seq>> {
        let mut first: Option<Seq> = None;
        for range in Course::BOTH.into_iter().filter_map(|it| Key::events_before(it, None)) {
            let last = self.view().keys_back(range, 1)?.into_iter().max();
            first = [first, last.map(Key::changed_by)].into_iter().flatten().min();
        }
        Ok(first)
    }

    /// Gives every row to `visit`, or why it cannot be understood; changes account by account, the
    /// newest first.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` when sled cannot read on.
    pub(crate) fn scan(&self, visit: &mut dyn FnMut(Result<Row>)) -> Result<()> {
        let mut rows = self.view().rows(KeyRange::everything())?;
        while let Some(row) = rows.next()? {
            visit(decode(&row));
        }
        Ok(())
    }

    fn view(&self) -> View<'_> {
        let Loaded { db, runs, has_alone, .. } = &self.0;
        View { db, runs, has_alone: *has_alone }
    }
}

fn decode(found: &block::Row) -> Result<Row> {
    let (key, seq, payload) = (found.key, found.seq, found.payload());
    Ok(if let Some(reservation) = key.as_reservation() {
        let record = row::decode_reservation(key, reservation, payload)?;
        Row::Reservation { seq, id: reservation, state: record.state }
    } else if key.is_change() {
        Row::Change(row::decode_change(key, seq, payload)?)
    } else if key.is_event() {
        row::decode_touched(key, seq, payload)?;
        Row::Event(seq)
    } else if key.is_owner() {
        Row::Owner(seq)
    } else {
        Row::Own
    })
}

fn reading(dir: &Path, error: std::io::Error) -> Error {
    Error::io(format_args!("copying {}", dir.display()), error)
}
