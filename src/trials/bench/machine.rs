//! The machine: what it is, where files go, how much memory this process has.
#![allow(clippy::disallowed_methods, reason = "measures the machine itself, not the ledger")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::base::error::{Error, Result};

/// Bytes of a page in `/proc/*/statm`.
const PAGE_BYTES: u64 = 4096;

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Cores, memory, kernel and load, as far as the system tells.
pub(crate) fn facts() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let memory = read("/proc/meminfo");
    let memory_kib = memory
        .split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<u64>().ok())
        .unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    format!(
        "{} cores ({}), {} GiB, {} {}, load before this run {}",
        cores(),
        model.trim_matches([' ', '\t', ':']),
        memory_kib >> 20,
        std::env::consts::OS,
        kernel.trim(),
        load.split(' ').next().unwrap_or_default(),
    )
}

/// What of this process is in memory, in bytes; `None` where the system does not tell.
pub(super) fn resident_bytes() -> Option<u64> {
    resident_bytes_of(std::process::id())
}

/// What of a process is in memory, in bytes; `None` where the system does not tell.
pub(crate) fn resident_bytes_of(process: u32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}

/// From here on this thread, and those that it starts, run on one processor, where the system has
/// several and lets one choose.
pub(super) fn run_on(processor: usize) {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        // Which of all there are this process may use is not lost by an earlier choice.
        static ALLOWED: std::sync::OnceLock<Option<CpuSet>> = std::sync::OnceLock::new();
        let Some(allowed) = ALLOWED.get_or_init(|| sched_getaffinity(None).ok()) else { return };
        let all: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&it| allowed.is_set(it)).collect();
        let mut chosen = CpuSet::new();
        if let Some(&processor) = all.get(processor % all.len().max(1)) {
            chosen.set(processor);
            // Without it the two get in each other's way, and the figures say so.
            let _ = sched_setaffinity(None, &chosen);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = processor;
}

/// How long the threads of this process have had a processor, in nanoseconds; `None` where the system
/// does not tell.
pub(super) fn processor_ns() -> Option<u64> {
    processor_ns_of(&[""])
}

/// The same of the threads whose names begin so.
pub(super) fn processor_ns_of(names: &[&str]) -> Option<u64> {
    of_threads(names, "schedstat", |told| told.split_whitespace().next())
}

/// What the threads whose names begin so have written, in bytes; `None` where the system does not
/// tell. What a system says of its disks may count whole folios for the few bytes in them.
pub(super) fn written_bytes_of(names: &[&str]) -> Option<u64> {
    of_threads(names, "io", |told| told.lines().find_map(|line| line.strip_prefix("wchar: ")))
}

/// The sum of a number that the system tells of each of these threads.
fn of_threads(names: &[&str], file: &str, number: fn(&str) -> Option<&str>) -> Option<u64> {
    let threads = fs::read_dir("/proc/self/task").ok()?;
    let of = |thread: std::io::Result<fs::DirEntry>| {
        let path = thread.ok()?.path();
        let name = fs::read_to_string(path.join("comm")).ok()?;
        if !names.iter().any(|start| name.starts_with(start)) {
            return Some(0);
        }
        number(&fs::read_to_string(path.join(file)).ok()?)?.parse::<u64>().ok()
    };
    threads.map(of).sum()
}

/// How many file descriptors a process has open; `None` where the system does not tell.
pub(crate) fn descriptors_of(process: u32) -> Option<u64> {
    Some(fs::read_dir(format!("/proc/{process}/fd")).ok()?.count() as u64)
}

/// The system's directory for temporary files, or the current one where that is in memory.
pub(crate) fn scratch_dir() -> PathBuf {
    let dir = std::env::temp_dir();
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let under =
        mounts.filter(|(point, _)| dir.starts_with(point)).max_by_key(|(point, _)| point.len());
    if under.is_some_and(|(_, kind)| kind == "tmpfs" || kind == "ramfs") {
        PathBuf::from(".")
    } else {
        dir
    }
}

/// A directory that is removed in the end.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new(dir: &Path) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Relaxed: only the number itself matters.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!("stockhold-bench-{}-{count}", std::process::id()));
        fs::create_dir_all(&path)
            .map_err(|error| Error::io(format_args!("creating {}", path.display()), error))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "removing a directory");
        }
    }
}
