//! The recycler: a thread that prepares spares and turns segments nobody needs into archive files and
//! spares. Never on the way of a commit.

use std::sync::Arc;

use super::archive::{self, Archived};
use super::segment::{self, Segment};
use super::store::{SPARES_MAX, SegmentStore, Spare};
use crate::base::Seq;
use crate::base::error::{Error, Result};

/// Runs errands until the journal closes. A failure is reported and costs space, never records: the
/// segment stays, and the next errand tries again.
pub(super) fn run(store: &SegmentStore) {
    while store.next_errand() {
        run_one(store);
    }
}

/// Runs one errand.
pub(super) fn run_one(store: &SegmentStore) {
    let lacked_room = store.lacks_room();
    if let Err(error) = run_errand(store) {
        // While there is no room it is tried every second; once is enough to say so.
        if lacked_room && error.is_no_room() {
            return;
        }
        tracing::error!(%error, "the journal's upkeep failed; segments are kept until it succeeds");
    }
}

fn run_errand(store: &SegmentStore) -> Result<()> {
    // First what a rollover may be waiting for. One is enough: recycled segments bring more.
    if !store.has_next_spare() {
        let spare = Spare { number: store.new_spare_number(), bytes: store.next_bytes() };
        segment::create_spare(&*store.vfs, &store.dir, spare.number, spare.bytes)?;
        store.offer_spare(spare);
    }
    store.has_room();
    while !store.stopping() && retire_oldest(store)? {}
    Ok(())
}

/// Archives and recycles the oldest segment; false when somebody needs it. The oldest always goes
/// first and its going is synced, so that a crash leaves no hole in the numbers.
fn retire_oldest(store: &SegmentStore) -> Result<bool> {
    let Some((segment, end_seq)) = store.files.lock().unneeded() else {
        return Ok(false);
    };
    // What another opening of the directory needs is not ours to take.
    store.check_directory()?;
    let last = store.files.lock().live.back().map(Arc::clone);
    last.map_or(Ok(()), |last| store.check_successor(&last))?;
    if let Some(bytes_max) = store.config.archive_bytes_max {
        archive_segment(store, &segment, end_seq)?;
        trim_archive(store, bytes_max)?;
    }
    if store.names_are_unsynced() {
        sync_names(store)?;
    }
    let taken = {
        let mut files = store.files.lock();
        // One is the list's and one is ours; with the list locked nobody can take another. A
        // reader's next errand comes with the next rollover or pin.
        let unread = Arc::strong_count(&segment) == 2;
        unread.then(|| files.live.pop_front())
    };
    if taken.is_none() {
        return Ok(false);
    }
    recycle(store, segment)?;
    Ok(true)
}

fn archive_segment(store: &SegmentStore, segment: &Segment, end_seq: Seq) -> Result<()> {
    let first_seq = segment.header.first_seq;
    let already =
        store.files.lock().archived.back().is_some_and(|last| last.last_seq + 1 >= end_seq);
    // A segment without frames has nothing to archive; one that readers kept here is in the archive
    // already.
    if first_seq == end_seq || already {
        return Ok(());
    }
    let bytes = segment::read_all(&*segment.file, &segment.path)?;
    let reach = segment::walk(&bytes, &segment.header, end_seq, &mut |_| Ok(()))?;
    if reach.next_seq != end_seq {
        return Err(SegmentStore::damaged(segment, reach.offset as u64, reach.next_seq));
    }
    let archived = archive::write(
        &*store.vfs,
        &store.archive_dir,
        &bytes[..reach.offset],
        first_seq,
        end_seq - 1,
    )?;
    store.files.lock().archived.push_back(archived);
    Ok(())
}

fn trim_archive(store: &SegmentStore, bytes_max: u64) -> Result<()> {
    loop {
        let oldest = {
            let mut files = store.files.lock();
            let bytes: u64 = files.archived.iter().map(|file| file.bytes).sum();
            if bytes <= bytes_max {
                return Ok(());
            }
            files.archived.pop_front()
        };
        let Some(oldest) = oldest else { return Ok(()) };
        remove_archived(store, &oldest)?;
    }
}

fn remove_archived(store: &SegmentStore, archived: &Archived) -> Result<()> {
    let path = archived.path(&store.archive_dir);
    let removed = store.vfs.remove(&path).and_then(|()| store.vfs.sync_dir(&store.archive_dir));
    removed.map_err(|error| Error::io(format_args!("removing {}", path.display()), error))
}

/// Makes a spare of a segment that left the list, or removes it when there are enough. The spare is
/// offered only after its name is durable: a crash would otherwise bring the old name back with a
/// new header.
fn recycle(store: &SegmentStore, segment: Arc<Segment>) -> Result<()> {
    let bytes = segment.header.segment_bytes;
    let usable = bytes == store.next_bytes() && store.spare_count() < SPARES_MAX;
    let number = usable.then(|| store.new_spare_number());
    let renamed = match number {
        Some(number) => {
            store.vfs.rename(&segment.path, &store.dir.join(segment::spare_name(number)))
        }
        None => store.vfs.remove(&segment.path),
    };
    if let Err(error) = renamed {
        let failed = Error::io(format_args!("recycling {}", segment.path.display()), error);
        // It has its name still, so it is the oldest again: were a later one to go before it, a
        // hole would be left in the numbers, and the next opening would refuse that.
        store.files.lock().live.push_front(segment);
        return Err(failed);
    }
    sync_names(store)?;
    if let Some(number) = number {
        store.offer_spare(Spare { number, bytes });
    }
    Ok(())
}

/// Makes durable that a segment has gone. Until that has succeeded no other may go: a crash could
/// bring back the one and not the other.
fn sync_names(store: &SegmentStore) -> Result<()> {
    store.set_names_unsynced(true);
    let synced = store.vfs.sync_dir(&store.dir);
    synced.map_err(|error| Error::io(format_args!("syncing {}", store.dir.display()), error))?;
    store.set_names_unsynced(false);
    Ok(())
}
