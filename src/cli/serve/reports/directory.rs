//! A directory that is given reports: four files for each, and one that says how far it came. Each is
//! written aside, synced and renamed, so that whoever finds one finds all of it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::Receiver;
use crate::base::error::{Error, Result};
use crate::cli::report::Format;
use crate::mall::{Report, Span};
use crate::vfs::{self, RealVfs, Vfs};

/// Says which day and which week were delivered last. Reports may be taken away; this may not.
const DELIVERED: &str = "delivered.json";
/// More than it can have.
const DELIVERED_BYTES_MAX: usize = 4096;

pub(super) struct Directory(pub(super) PathBuf);

impl Directory {
    /// # Errors
    /// `Unavailable` when it cannot be made.
    pub(super) fn open(dir: &Path) -> Result<Self> {
        let dir = RealVfs.absolute(dir).map_err(|cause| failed(dir, cause))?;
        if !RealVfs.has(&dir).map_err(|cause| failed(&dir, cause))? {
            vfs::create_dir_all(&RealVfs, &dir).map_err(|cause| failed(&dir, cause))?;
        }
        Ok(Self(dir))
    }

    fn delivered(&self) -> Result<BTreeMap<String, String>> {
        let path = self.0.join(DELIVERED);
        let bytes = match RealVfs.open_read(&path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            opened => opened.and_then(|file| vfs::read_start(&*file, DELIVERED_BYTES_MAX)),
        };
        let bytes = bytes.map_err(|cause| failed(&path, cause))?;
        serde_json::from_slice(&bytes)
            .map_err(|cause| Error::corrupt(format!("{} cannot be read: {cause}", path.display())))
    }

    fn write(&self, name: &str, content: &str) -> Result<()> {
        let (path, aside) = (self.0.join(name), self.0.join(format!("{name}.new")));
        let written = RealVfs.create(&aside).and_then(|file| {
            file.write_at(content.as_bytes(), 0)?;
            file.sync()?;
            RealVfs.rename(&aside, &path)?;
            RealVfs.sync_dir(&self.0)
        });
        written.map_err(|cause| failed(&path, cause))
    }
}

impl Receiver for &Directory {
    fn name(&self) -> &str {
        "reports_dir"
    }

    fn wants(&self, _: Span) -> bool {
        true
    }

    fn last(&self, span: Span) -> Result<Option<String>> {
        Ok(self.delivered()?.remove(span.name()))
    }

    fn take(&self, report: &Report) -> Result<()> {
        for (format, ending) in [
            (Format::Json, "json"),
            (Format::Csv, "csv"),
            (Format::Text, "txt"),
            (Format::Html, "html"),
        ] {
            let name = format!("{}-{}.{ending}", report.span.name(), report.period);
            self.write(&name, &format.write(report)?)?;
        }
        Ok(())
    }

    fn keep_last(&self, span: Span, period: &str) -> Result<()> {
        let mut delivered = self.delivered()?;
        delivered.insert(span.name().to_owned(), period.to_owned());
        let text = serde_json::to_string(&delivered).map_err(|cause| {
            Error::unavailable("what was delivered cannot be written").with_source(cause)
        })?;
        self.write(DELIVERED, &format!("{text}\n"))
    }
}

fn failed(path: &Path, cause: io::Error) -> Error {
    Error::io(format!("reports in {}", path.display()), cause)
}
