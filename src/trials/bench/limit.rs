//! What the machine allows: the figures that ours are compared with.

use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::figures::{Figures, Target};
use super::machine::cores;
use crate::base::error::{Error, Result};
use crate::base::sync::Mutex;
use crate::vfs::{RealVfs, Vfs};

const BLOCK_BYTES: usize = 4096;
const BLOCKS: usize = 4 << 10;
const SYNC_FOR: Duration = Duration::from_millis(700);
const TAKES: usize = 10_000_000;

pub(super) fn limits(dir: &Path, figures: &mut Figures) -> Result<()> {
    figures.figure("fdatasync of 4 KiB in a zero-filled file", sync_rate(dir)?, "/s", Target::None);
    for threads in [1, cores()] {
        let what = format!("compare-and-swap decrement of one number, threads: {threads}");
        figures.figure(&what, take_rate(threads)?, "/s", Target::None);
        let what = format!("one lock taken and released, threads: {threads}");
        figures.figure(&what, lock_rate(threads)?, "/s", Target::None);
    }
    Ok(())
}

/// How often a second the disk syncs a block that has really been written before.
pub(super) fn sync_rate(dir: &Path) -> Result<f64> {
    let measured = || {
        let path = dir.join("raw");
        let file = RealVfs.create(&path)?;
        file.write_at(&vec![0; BLOCKS * BLOCK_BYTES], 0)?;
        file.sync()?;
        let block = [0xa5; BLOCK_BYTES];
        let (start, mut count) = (Instant::now(), 0);
        while start.elapsed() < SYNC_FOR {
            file.write_at(&block, (count % BLOCKS * BLOCK_BYTES) as u64)?;
            file.sync()?;
            count += 1;
        }
        let rate = count as f64 / start.elapsed().as_secs_f64();
        RealVfs.remove(&path)?;
        Ok(rate)
    };
    measured().map_err(|error| Error::io("measuring the disk", error))
}

/// How many units a second `threads` threads take of one number, if nothing else has to be done.
pub(super) fn take_rate(threads: usize) -> Result<f64> {
    let units = AtomicU64::new(u64::MAX);
    let take = || {
        for _ in 0..TAKES / threads {
            let _ = units
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |units| units.checked_sub(1));
        }
        Ok(())
    };
    Ok(TAKES as f64 / on_threads(threads, take)?.as_secs_f64())
}

fn lock_rate(threads: usize) -> Result<f64> {
    let units = Mutex::new(u64::MAX);
    let take = || {
        for _ in 0..TAKES / threads {
            *units.lock() -= 1;
        }
        Ok(())
    };
    Ok(TAKES as f64 / on_threads(threads, take)?.as_secs_f64())
}

/// How long the slowest of this many threads took.
pub(super) fn on_threads(threads: usize, work: impl Fn() -> Result<()> + Sync) -> Result<Duration> {
    let barrier = Barrier::new(threads + 1);
    thread::scope(|scope| {
        let worker = || {
            barrier.wait();
            work()
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        barrier.wait();
        let start = Instant::now();
        let joined = workers.into_iter().map(|worker| worker.join());
        let outcomes: Vec<_> = joined.collect();
        let time = start.elapsed();
        for outcome in outcomes {
            outcome.map_err(|_| Error::unavailable("a measuring thread panicked"))??;
        }
        Ok(time)
    })
}
