//! What stands in for history in a build without the feature `history`.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use super::record::{ChangeRecord, ReservationRecord};
use super::{Belongs, Shown};
use crate::base::error::{Error, Result};
use crate::base::{AccountId, ReservationId, Seq};
use crate::event::Event;
use crate::event::branch::Mark;

#[derive(Default)]
pub(crate) struct StoreConfig {}

/// The type of the store in a build that has none.
#[derive(Debug)]
pub(crate) struct Store(Infallible);

impl Store {
    /// # Errors
    /// `Unavailable`: this build has no history.
    pub(crate) fn open_judged(
        _: &Path,
        _: StoreConfig,
        _: &dyn Fn(&Shown) -> Result<Belongs>,
    ) -> Result<Self> {
        Err(Error::unavailable(
            "history is asked for, but this build is without the feature `history`",
        ))
    }

    pub(crate) fn set_aside(&self) -> Option<&Infallible> {
        match self.0 {}
    }

    pub(crate) fn watermark(&self) -> Seq {
        match self.0 {}
    }

    pub(crate) fn projected(&self) -> Seq {
        match self.0 {}
    }

    pub(crate) fn first_seq(&self) -> Result<Seq> {
        match self.0 {}
    }

    pub(crate) fn memtable_bytes(&self) -> u64 {
        match self.0 {}
    }

    pub(crate) fn memtable_len(&self) -> usize {
        match self.0 {}
    }

    pub(crate) fn begin_after(&self, _: Seq, _: impl Iterator<Item = AccountId>) -> Result<()> {
        match self.0 {}
    }

    pub(crate) fn begin_anew_after(
        &self,
        _: Seq,
        _: impl Iterator<Item = AccountId>,
    ) -> Result<()> {
        match self.0 {}
    }

    pub(crate) fn project(&self, _: Seq, _: &Event<'_>) -> Result<()> {
        match self.0 {}
    }

    pub(crate) fn mark(&self, _: Seq, _: Mark) {
        match self.0 {}
    }

    pub(crate) fn flush(&self, _: usize) -> Result<Seq> {
        match self.0 {}
    }

    pub(crate) fn wants_merging(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn must_merge(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn awaits_readers(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn merge(&self, _: usize) -> Result<()> {
        match self.0 {}
    }

    pub(crate) fn reservation(&self, _: ReservationId) -> Result<Option<ReservationRecord>> {
        match self.0 {}
    }

    pub(crate) fn reservations_of(
        &self,
        _: AccountId,
        _: Option<ReservationId>,
        _: usize,
    ) -> Result<Vec<ReservationRecord>> {
        match self.0 {}
    }

    pub(crate) fn reservations(
        &self,
        _: Option<ReservationId>,
        _: usize,
    ) -> Result<Vec<ReservationRecord>> {
        match self.0 {}
    }

    pub(crate) fn changes_of(
        &self,
        _: AccountId,
        _: Option<Seq>,
        _: usize,
    ) -> Result<Vec<ChangeRecord>> {
        match self.0 {}
    }

    pub(crate) fn measure(&self) -> std::io::Result<u64> {
        match self.0 {}
    }

    pub(crate) fn close(&self) -> Result<()> {
        match self.0 {}
    }
}

/// What a history that another build left shows is not read here: as when history is off.
///
/// # Errors
/// Never.
pub(crate) fn shown(_: &Path) -> Result<Option<Shown>> {
    Ok(None)
}

/// # Errors
/// `Unavailable`: this build has no history.
pub(crate) fn set_aside(_: &Path) -> Result<Option<PathBuf>> {
    Err(Error::unavailable("this build is without the feature `history`"))
}
