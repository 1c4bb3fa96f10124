//! `stockhold backup`: a copy elsewhere of what a data directory has.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::audit::{Progress, show_time, table};
use crate::backup::{self, Access, Contents, Key, Plan, Run, S3, Target};
use crate::base::error::{Error, Result};
use crate::process::print;
use crate::settings::duration;
use crate::vfs::{RealVfs, Vfs, read_start};

/// More than a key's file can have.
const KEY_FILE_BYTES_MAX: usize = 4096;

#[derive(Args)]
pub(super) struct BackupArgs {
    /// The data directory; a server may be running on it
    #[arg(value_name = "DIR", required_unless_present_any = ["list", "check"])]
    dir: Option<PathBuf>,
    /// Where the backup is, or is to be begun: a directory, or s3://BUCKET/PREFIX
    #[arg(long, value_name = "DIR|URL")]
    to: String,
    /// A file with the key that it is encrypted with: 64 hexadecimal digits
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// For how long every moment can be restored, counted back from the newest [default: for good]
    #[arg(long, value_name = "TIME", value_parser = time)]
    keep: Option<Duration>,
    /// How old the newest snapshot of the backup may be before another is copied
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "1h")]
    snapshot_every: Duration,
    /// Show which moments the backup has, and change nothing
    #[arg(long, conflicts_with_all = ["dir", "keep"])]
    list: bool,
    /// Fetch and verify everything that the backup has, and change nothing
    #[arg(long, conflicts_with_all = ["dir", "keep", "list"])]
    check: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    duration::parse_ms(text).map(Duration::from_millis).map_err(|error| error.to_string())
}

pub(super) fn backup(args: &BackupArgs) -> Result<ExitCode> {
    let key = args.key_file.as_deref().map(read_key).transpose()?;
    let target = target(&args.to)?;
    let text = match &args.dir {
        Some(dir) => {
            let plan = Plan { snapshot_every: args.snapshot_every, keep: args.keep };
            let vfs: Arc<dyn Vfs> = Arc::new(RealVfs);
            let run = backup::run(&vfs, dir, &*target, key.as_ref(), &plan)?;
            if args.json { json(&run)? } else { told_run(&run, target.name()) }
        }
        None => {
            let contents = {
                let progress = Progress::new("objects");
                let mut tell = |done, total| progress.at(done, total);
                match args.check {
                    true => backup::check(&*target, key.as_ref(), &mut tell)?,
                    false => backup::list(&*target, key.as_ref())?,
                }
            };
            if args.json { json(&contents)? } else { told_contents(&contents, args.check) }
        }
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Where a backup is kept.
///
/// # Errors
/// `Invalid` when it is a bucket, and what is needed for it is missing or of another form.
pub(super) fn target(to: &str) -> Result<Box<dyn Target>> {
    match to.starts_with("s3://") {
        true => Ok(Box::new(S3::new(to, Access::from_environment()?)?)),
        false => Ok(Box::new(backup::Directory::new(Arc::new(RealVfs), Path::new(to))?)),
    }
}

/// The key in a file.
///
/// # Errors
/// `Unavailable` when it cannot be read, `Invalid` when it is no key.
pub(super) fn read_key(path: &Path) -> Result<Key> {
    let bytes = RealVfs.open_read(path).and_then(|file| read_start(&*file, KEY_FILE_BYTES_MAX));
    let bytes =
        bytes.map_err(|error| Error::io(format_args!("reading {}", path.display()), error))?;
    Key::parse(&String::from_utf8_lossy(&bytes))
}

fn json(shown: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string(shown)
        .map_err(|cause| Error::unavailable("the outcome cannot be written").with_source(cause))?;
    Ok(text + "\n")
}

fn told_run(run: &Run, target: &str) -> String {
    let Run { first_seq, last_seq, last_at, records, written, bytes, removed } = *run;
    let mut text = format!("{records} new events, {written} objects of {bytes} bytes written");
    if removed > 0 {
        text.push_str(&format!(", {removed} let go as too old"));
    }
    text.push_str(&format!(
        "\n{target} has the events {first_seq} to {last_seq}, the last of {}\n",
        show_time(last_at)
    ));
    text
}

fn told_contents(contents: &Contents, checked: bool) -> String {
    let Contents { first_seq, last_seq, .. } = *contents;
    let mut text = match contents.restorable_from {
        _ if contents.segments == 0 => "The backup has no events yet.\n".to_owned(),
        Some(from) => {
            format!("Every moment from event {from} to event {last_seq} can be restored.\n")
        }
        None => "Nothing can be restored: the backup has no snapshot that its events go on from.\n"
            .to_owned(),
    };
    let rows: Vec<[String; 3]> = contents
        .snapshots
        .iter()
        .map(|snapshot| {
            ["snapshot".to_owned(), snapshot.last_seq.to_string(), show_time(snapshot.at)]
        })
        .collect();
    let segments = format!(
        "\n{} segments with the events {first_seq} to {last_seq}{}.\n",
        contents.segments,
        if checked { ": all of them verify" } else { "" }
    );
    if !rows.is_empty() {
        text.push('\n');
        text.push_str(&table(["object", "shows event", "taken"], &[1], &rows));
    }
    text.push_str(&segments);
    text
}
