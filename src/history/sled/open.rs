//! Opening, guarded. Whatever is wrong with the directory, it is set aside under another name and
//! an empty store begins: history is rebuilt from the journal, and an emptied directory must never
//! read as "no history".

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use super::block::BlockKey;
use super::cursor::Cursor;
use super::disk::{self, Disk};
use super::files::{self, Contents};
use super::guarded::guarded;
use super::key::{Key, KeyRange};
use super::manifest::Manifest;
use super::quotas::QuotaSet;
use super::run::Runs;
use super::value::unseal;
use super::view::View;
use crate::base::bytes::Reader;
use crate::base::error::{Error, ErrorKind, Result};
use crate::event::branch::Branch;
use crate::history::{Belongs, Shown};
use std::thread;

/// How often the lock of a directory is tried again that sled is just giving up in another thread.
const LOCK_RETRY: Duration = Duration::from_millis(2);

/// What a disk reads at least, in bytes a second.
const SLOW_DISK: u64 = 8 << 20;

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoreConfig {
    /// Memory for sled's page cache, in bytes.
    pub(crate) cache_bytes: u64,
    /// How long opening may take before the directory counts as damaged, beside what a slow disk needs
    /// to read all of it.
    pub(crate) open_limit: Duration,
    /// A store of at most this many rows is read through when it is opened, and every checksum
    /// verified. Damage in a larger one is found when a row is read.
    pub(crate) verify_rows_max: u64,
    /// With this many runs of about one size they are merged. Each row is written once more whenever
    /// they are, and a read mostly looks at up to this many of each size.
    pub(crate) alike_max: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            cache_bytes: 256 << 20,
            open_limit: Duration::from_secs(60),
            verify_rows_max: 2_000_000,
            alike_max: 8,
        }
    }
}

/// A store that was not used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetAside {
    /// Where it is now; `None` when there was nothing left of it.
    pub(crate) path: Option<PathBuf>,
    /// What was wrong with it.
    pub(crate) reason: String,
}

/// What opening found.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) disk: Disk,
    pub(super) manifest: Manifest,
    pub(super) quotas: QuotaSet,
    pub(super) set_aside: Option<SetAside>,
}

/// Opens `dir`, or sets it aside and begins an empty store in its place.
///
/// # Errors
/// `Unavailable` when another process has the directory, when the machine lacks room or rights, or
/// when no new store can be made. Never for damage.
pub(super) fn open(dir: &Path, config: StoreConfig, judge: Judge<'_>) -> Result<Opened> {
    match open_existing(dir, config, judge)? {
        Found::Sound(opened) => {
            // Before there is a block, which an earlier release would pass over.
            if let Some(manifest) = Manifest::of_earlier_release(dir)? {
                manifest.write(dir)?;
            }
            Ok(*opened)
        }
        Found::Nothing => create(dir, config, None),
        Found::Damaged(reason) => {
            let path = move_aside(dir)?;
            tracing::warn!(
                ?path,
                reason,
                "the store was set aside; history is rebuilt from the journal"
            );
            create(dir, config, Some(SetAside { path, reason }))
        }
    }
}

pub(super) type Judge<'a> = &'a dyn Fn(&Shown) -> Result<Belongs>;

enum Found {
    Sound(Box<Opened>),
    Nothing,
    Damaged(String),
}

/// The decisions: a directory and a manifest belong together or not.
fn open_existing(dir: &Path, config: StoreConfig, judge: Judge<'_>) -> Result<Found> {
    let contents = files::contents(dir)
        .map_err(|error| Error::io(format!("listing {}", dir.display()), error))?;
    let manifest = match Manifest::read(dir) {
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            return Ok(Found::Damaged(error.to_string()));
        }
        manifest => manifest?,
    };
    match (contents, manifest) {
        (Contents::Something, Some(manifest)) if manifest.damaged => {
            Ok(Found::Damaged("a read found damage in it".into()))
        }
        (Contents::Something, Some(manifest)) => match judge(&manifest.shown())? {
            Belongs::Here => judge_inside(load_in_time(dir, config, manifest)?, &manifest, judge),
            Belongs::Elsewhere(reason) => Ok(Found::Damaged(reason)),
        },
        (Contents::Something, None) => Ok(Found::Damaged("it has no manifest".into())),
        (Contents::Nothing | Contents::Empty, Some(_)) => {
            Ok(Found::Damaged("its directory is gone or empty".into()))
        }
        (Contents::Nothing | Contents::Empty, None) => Ok(Found::Nothing),
    }
}

/// The manifest is written last, so the store can show more than it says.
fn judge_inside(found: Found, manifest: &Manifest, judge: Judge<'_>) -> Result<Found> {
    match found {
        Found::Sound(opened) if opened.manifest.watermark > manifest.watermark => {
            match judge(&opened.manifest.shown())? {
                Belongs::Here => Ok(Found::Sound(opened)),
                Belongs::Elsewhere(reason) => Ok(Found::Damaged(reason)),
            }
        }
        found => Ok(found),
    }
}

/// What the manifest of a store says that it shows; `None` when there is no store, or it does not
/// read.
///
/// # Errors
/// `Unavailable` when it cannot be read.
pub(crate) fn shown(dir: &Path) -> Result<Option<Shown>> {
    match Manifest::read(dir) {
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
        manifest => Ok(manifest?.map(|manifest| manifest.shown())),
    }
}

/// Sets a store aside, so that the next opening makes a new one; returns where it is now.
///
/// # Errors
/// `Unavailable` when it cannot be renamed.
pub(crate) fn set_aside(dir: &Path) -> Result<Option<PathBuf>> {
    let moved = move_aside(dir)?;
    let removed = files::remove(&Manifest::path(dir));
    removed
        .map_err(|error| Error::io(format!("removing the manifest of {}", dir.display()), error))?;
    Ok(moved)
}

/// Removes a store and its manifest, if there are any.
///
/// # Errors
/// `Unavailable` when something cannot be removed.
#[cfg(feature = "bin")]
pub(crate) fn remove(dir: &Path) -> Result<()> {
    let removed = files::remove(dir).and_then(|()| files::remove(&Manifest::path(dir)));
    removed.map_err(|error| Error::io(format!("removing {}", dir.display()), error))
}

/// Puts the closed store in `new` in the place of that in `dir`, which is renamed; returns its new
/// name. The manifest comes last: until then the directory and its manifest do not belong together,
/// and an engine would begin anew.
///
/// # Errors
/// `Unavailable` when something cannot be renamed.
#[cfg(feature = "bin")]
pub(crate) fn replace(dir: &Path, new: &Path) -> Result<Option<PathBuf>> {
    let set_aside = move_aside(dir)?;
    // What is left of one that is set aside is an empty directory at most.
    let renamed = files::remove(dir)
        .and_then(|()| files::rename(new, dir))
        .and_then(|()| files::rename(&Manifest::path(new), &Manifest::path(dir)));
    renamed.map_err(|error| Error::io(format!("renaming {}", new.display()), error))?;
    Ok(set_aside)
}

fn move_aside(dir: &Path) -> Result<Option<PathBuf>> {
    let moved = match files::contents(dir) {
        Ok(Contents::Nothing | Contents::Empty) => Ok(None),
        Ok(Contents::Something) => files::set_aside(dir).map(Some),
        Err(error) => Err(error),
    };
    moved.map_err(|error| Error::io(format!("setting {} aside", dir.display()), error))
}

/// Loads in a thread of its own, which is left behind when it does not come back in time.
fn load_in_time(dir: &Path, config: StoreConfig, manifest: Manifest) -> Result<Found> {
    let loaded = in_time(limit_for(dir, config), {
        let dir = dir.to_owned();
        move || load(&dir, config, manifest)
    });
    match loaded {
        Ok(Loaded { db, manifest, runs, has_alone, quotas }) => {
            let disk = Disk::new(db, dir, manifest, runs, has_alone);
            Ok(Found::Sound(Box::new(Opened { disk, manifest, quotas, set_aside: None })))
        }
        Err(Refusal::Unavailable(error)) => Err(error),
        Err(Refusal::Damaged(reason)) => Ok(Found::Damaged(reason)),
    }
}

/// Why a directory was not opened.
pub(super) enum Refusal {
    /// Another process has it, or the machine lacks something: that is not damage.
    Unavailable(Error),
    Damaged(String),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        if is_lack(&error) { Self::Unavailable(error) } else { Self::Damaged(error.to_string()) }
    }
}

/// Whether the machine lacks room, rights or descriptors. That says nothing of the files: a history
/// that is whole must not be set aside for a disk that is full.
fn is_lack(error: &Error) -> bool {
    let cause =
        std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    let is_lack = |cause: &io::Error| {
        matches!(
            cause.kind(),
            io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::FileTooLarge
                | io::ErrorKind::ReadOnlyFilesystem
                | io::ErrorKind::PermissionDenied
                | io::ErrorKind::OutOfMemory
        )
    };
    error.lacks_descriptors() || cause.is_some_and(is_lack)
}

/// How long opening a directory may take.
pub(super) fn limit_for(dir: &Path, config: StoreConfig) -> Duration {
    let bytes = files::tree_bytes(dir).unwrap_or(0);
    config.open_limit.saturating_add(Duration::from_secs(bytes / SLOW_DISK))
}

pub(super) fn in_time<T: Send + 'static>(
    limit: Duration,
    call: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let run =
        move || {
            let result = catch_unwind(AssertUnwindSafe(call));
            // Once the time is up nobody listens any more; a database that opened too late is
            // closed by this drop.
            drop(sender.send(
                result.unwrap_or_else(|_| Err(Refusal::Damaged("opening it panicked".into()))),
            ));
        };
    if let Err(error) = thread::Builder::new().name("store-open".into()).spawn(run) {
        return Err(Refusal::Unavailable(Error::io("starting a thread to open the store", error)));
    }
    receiver.recv_timeout(limit).unwrap_or_else(|_| {
        Err(Refusal::Damaged(format!("it did not open within {} ms", limit.as_millis())))
    })
}

/// A directory that was opened, and what is in it.
pub(super) struct Loaded {
    pub(super) db: sled::Db,
    pub(super) manifest: Manifest,
    pub(super) runs: Runs,
    pub(super) has_alone: bool,
    pub(super) quotas: QuotaSet,
}

pub(super) fn load(dir: &Path, config: StoreConfig, manifest: Manifest) -> Result<Loaded, Refusal> {
    let db = open_sled(dir, config)?;
    let (inside, runs) =
        read_meta(&db)?.ok_or_else(|| Refusal::Damaged("it holds no store".into()))?;
    check_manifest(&manifest, &inside).map_err(Refusal::Damaged)?;
    remove_uncounted(&db, &runs)?;
    let alone = Cursor::alone(&db, KeyRange::everything()).next()?;
    let view = View { db: &db, runs: &runs, has_alone: alone.is_some() };
    let mut quotas = QuotaSet::default();
    let mut pages = view.rows(Key::all_quotas())?;
    while let Some(row) = pages.next()? {
        quotas.load(row.key, row.payload())?;
    }
    if inside.rows <= config.verify_rows_max {
        verify(&view, inside.rows)?;
    }
    let has_alone = view.has_alone;
    Ok(Loaded { db, manifest: inside, runs, has_alone, quotas })
}

/// Removes the blocks of runs that do not count: of a flush or a merge that was cut short, and of runs
/// that were merged.
fn remove_uncounted(db: &sled::Db, runs: &Runs) -> Result<()> {
    let mut next = Some(0);
    while let Some(id) = next {
        let [least, _] = BlockKey::of_run(id);
        let [_, greatest] = BlockKey::of_run(u32::MAX);
        let found = guarded("scanning the store", || {
            db.range(least.as_ref()..=greatest.as_ref()).next().transpose()
        })?;
        let Some((key, _)) = found else { break };
        let id = BlockKey::from_bytes(&key)?.run();
        if !runs.0.iter().any(|run| run.id == id) {
            while !disk::remove_run(db, id)? {}
        }
        next = id.checked_add(1);
    }
    Ok(())
}

/// What the meta row says must follow from the manifest: the manifest is written last, so it may be
/// behind.
fn check_manifest(manifest: &Manifest, inside: &Manifest) -> Result<(), String> {
    if manifest.store_id != inside.store_id {
        return Err("its manifest belongs to another store".into());
    }
    let (stated, held) = (manifest.watermark, inside.watermark);
    if held < stated || (held == stated && manifest.rows != inside.rows) {
        return Err(format!("it ends at event {held}, and its manifest at {stated}"));
    }
    Ok(())
}

fn verify(view: &View<'_>, rows_min: u64) -> Result<(), Refusal> {
    let rows = view.verify()?;
    // More is sound: one that changed may be in several runs.
    if rows < rows_min {
        return Err(Refusal::Damaged(format!("it holds {rows} rows of {rows_min}")));
    }
    Ok(())
}

/// The meta row, in the form of a manifest, and the runs that it names.
fn read_meta(db: &sled::Db) -> Result<Option<(Manifest, Runs)>> {
    let key = Key::meta();
    let Some(value) = guarded("reading the store", || db.get(key.to_bytes()))? else {
        return Ok(None);
    };
    let (watermark, payload) = unseal(key, &value)?;
    let mut reader = Reader::new(payload);
    let meta = (|| Some((reader.array()?, reader.u64()?, reader.u64()?)))();
    let (store_id, first_seq, rows) =
        meta.ok_or_else(|| Error::corrupt("the store's meta row is malformed"))?;
    // Earlier releases ended it here, or after the branch.
    let branch = Branch::decode(&mut reader).unwrap_or_default();
    let runs = match reader.rest() {
        [] => Runs::default(),
        _ => Runs::decode(&mut reader)
            .ok_or_else(|| Error::corrupt("the store's list of runs is malformed"))?,
    };
    Ok(Some((Manifest { store_id, first_seq, watermark, rows, damaged: false, branch }, runs)))
}

fn open_sled(dir: &Path, config: StoreConfig) -> Result<sled::Db, Refusal> {
    let sled = sled::Config::new()
        .path(dir)
        .cache_capacity(config.cache_bytes)
        .mode(sled::Mode::HighThroughput)
        .flush_every_ms(None);
    // A database that was just closed gives its lock up a little later, in sled's own threads. Half
    // the limit, so that a lock is told from a hang.
    let tries = (config.open_limit / 2).as_millis() / LOCK_RETRY.as_millis();
    for _ in 0..tries {
        match guarded("opening the store", || sled.open()) {
            Err(error) if is_lock(&error) => thread::sleep(LOCK_RETRY),
            opened => return Ok(opened?),
        }
    }
    Err(Refusal::Unavailable(Error::already_open(format!("{} is open already", dir.display()))))
}

fn is_lock(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable && error.to_string().contains("could not acquire lock")
}

fn create(dir: &Path, config: StoreConfig, set_aside: Option<SetAside>) -> Result<Opened> {
    files::create_dir(dir)
        .map_err(|error| Error::io(format!("creating {}", dir.display()), error))?;
    let opened = in_time(config.open_limit, {
        let dir = dir.to_owned();
        move || open_sled(&dir, config)
    });
    let db = opened.map_err(|refusal| match refusal {
        Refusal::Unavailable(error) => error,
        Refusal::Damaged(reason) => {
            Error::unavailable(format!("a new store cannot be opened: {reason}"))
        }
    })?;
    let (store_id, branch) = (random_id()?, Branch::default());
    let manifest =
        Manifest { store_id, first_seq: 1, watermark: 0, rows: 0, damaged: false, branch };
    guarded("writing the store", || {
        db.insert(Key::meta().to_bytes(), disk::meta_value(&manifest, &Runs::default()))
    })?;
    disk::sync(&db, dir)?;
    manifest.write(dir)?;
    Ok(Opened {
        disk: Disk::new(db, dir, manifest, Runs::default(), false),
        manifest,
        quotas: QuotaSet::default(),
        set_aside,
    })
}

fn random_id() -> Result<[u8; 16]> {
    let mut id = [0; 16];
    getrandom::fill(&mut id)
        .map_err(|error| Error::unavailable(format!("no random bytes for a store: {error}")))?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_store_may_take_longer() {
        let dir = tempfile::tempdir().expect("a directory");
        let config = StoreConfig::default();
        assert_eq!(limit_for(&dir.path().join("none"), config), config.open_limit);
        let read_in_3_s = vec![0; 3 * SLOW_DISK as usize];
        files::replace(&dir.path().join("db"), &read_in_3_s).expect("a file");
        let limit = limit_for(dir.path(), config);
        assert_eq!(limit, config.open_limit + Duration::from_secs(3));
    }

    #[test]
    fn a_full_disk_is_no_damage() {
        let refusal = |error: io::Error| {
            Refusal::from(
                guarded("opening the store", || Err::<(), _>(sled::Error::Io(error)))
                    .expect_err("it fails"),
            )
        };
        let (no_space, too_large, too_many) = (28, 27, 24);
        for code in [no_space, too_large, too_many] {
            let refusal = refusal(io::Error::from_raw_os_error(code));
            assert!(
                matches!(&refusal, Refusal::Unavailable(error) if error.kind() == ErrorKind::Unavailable),
                "{code}"
            );
        }
        // sled tells some errors in words of its own, with the kind kept.
        let told = io::Error::new(io::ErrorKind::StorageFull, "no space");
        assert!(matches!(refusal(told), Refusal::Unavailable(_)), "by its kind");
        let medium = 5;
        for damage in [io::Error::from_raw_os_error(medium), io::ErrorKind::InvalidData.into()] {
            let told = damage.to_string();
            assert!(matches!(refusal(damage), Refusal::Damaged(_)), "{told} may be damage");
        }
        assert!(
            matches!(Refusal::from(Error::corrupt("a checksum")), Refusal::Damaged(_)),
            "damage stays damage"
        );
    }
}
