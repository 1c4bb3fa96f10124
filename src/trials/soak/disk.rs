//! A disk of the soak's own, which can be filled up.
#![allow(clippy::disallowed_methods, reason = "files of the soak, not of the engine")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FallocateFlags, fallocate};

use crate::base::error::{Error, Result};

/// The least room that filling leaves alone, in bytes.
const BLOCK_BYTES: u64 = 4096;

/// A small file system. Dropped, it is unmounted.
pub(super) struct Disk {
    point: PathBuf,
    bytes: u64,
    /// What it is, for the report.
    pub(super) kind: &'static str,
}

impl Disk {
    /// A file system of `bytes` in `dir`: ext4 in a file, or in memory where that cannot be
    /// mounted.
    ///
    /// # Errors
    /// `Unavailable`, saying why, where neither can be mounted.
    pub(super) fn mount(dir: &Path, bytes: u64) -> Result<Self> {
        let (point, image) = (dir.join("disk"), dir.join("disk.img"));
        let failed = |cause| Error::io("making a disk", cause);
        fs::create_dir(&point).map_err(failed)?;
        // Sparse: it takes what is written.
        File::create(&image).and_then(|file| file.set_len(bytes)).map_err(failed)?;
        let disk = |kind| Self { point: point.clone(), bytes, kind };
        // Nothing is kept for root, who may run this.
        let made = run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image));
        if made
            .and_then(|()| run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&point)))
            .is_ok()
        {
            return Ok(disk("ext4"));
        }
        let options = format!("size={bytes}");
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "stockhold-soak"])
            .arg(&point))?;
        Ok(disk("tmpfs"))
    }

    pub(super) fn path(&self) -> &Path {
        &self.point
    }

    fn ballast(&self) -> PathBuf {
        self.point.join("ballast")
    }

    /// Takes all the room that is left.
    pub(super) fn fill(&self) -> Result<()> {
        let failed = |cause| Error::io("filling the disk", cause);
        let file = File::create(self.ballast()).map_err(failed)?;
        let (mut length, mut step) = (0, self.bytes);
        while step >= BLOCK_BYTES {
            match fallocate(&file, FallocateFlags::empty(), length, step) {
                Ok(()) => length += step,
                Err(rustix::io::Errno::NOSPC) => step /= 2,
                Err(cause) => return Err(failed(cause.into())),
            }
        }
        Ok(())
    }

    pub(super) fn free(&self) -> Result<()> {
        fs::remove_file(self.ballast()).map_err(|cause| Error::io("making room on the disk", cause))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmount = |flags: &[&str]| run(Command::new("umount").args(flags).arg(&self.point));
        // A server that was killed just now may still have its files open.
        if let Err(error) = unmount(&[]).or_else(|_| unmount(&["-l"])) {
            eprintln!("stockhold: {} stays mounted: {error}", self.point.display());
        }
    }
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|cause| Error::io(&name, cause))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Error::unavailable(format!(
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ))),
    }
}
