//! `stockhold restore`: a data directory as it was.

use std::cell::Cell;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::audit::{Moment as Wanted, Progress, parse_moment, show_time};
use super::backup::{read_key, target};
use crate::backup::{self, Moment, Restored, Step};
use crate::base::error::Result;
use crate::process::print;

#[derive(Args)]
pub(super) struct RestoreArgs {
    /// The data directory to make; it must be empty, or not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Where the backup is: a directory, or s3://BUCKET/PREFIX
    #[arg(long, value_name = "DIR|URL")]
    from: String,
    /// As it was after this event, or at this time, as in 2026-03-01T09:30:00Z [default: the newest]
    #[arg(long, value_name = "SEQ|TIME")]
    at: Option<String>,
    /// A file with the key that the backup is encrypted with
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

pub(super) fn restore(args: &RestoreArgs) -> Result<ExitCode> {
    let moment = match args.at.as_deref().map(parse_moment).transpose()? {
        None => Moment::Newest,
        Some(Wanted::Seq(seq)) => Moment::Seq(seq),
        Some(Wanted::Time(time)) => Moment::Time(time),
    };
    let key = args.key_file.as_deref().map(read_key).transpose()?;
    let target = target(&args.from)?;
    let restored = {
        let (at, bar) = (Cell::new(None), Cell::new(None));
        backup::restore(&*target, key.as_ref(), &args.dir, moment, &mut |step, done, total| {
            if at.replace(Some(step)) != Some(step) {
                bar.set(Some(Progress::new(unit(step))));
            }
            let shown: Option<Progress> = bar.take();
            if let Some(shown) = &shown {
                shown.at(done, total);
            }
            bar.set(shown);
        })?
    };
    print(&told(args, &restored))?;
    Ok(ExitCode::SUCCESS)
}

fn unit(step: Step) -> &'static str {
    match step {
        Step::Fetching => "segments fetched",
        Step::Replaying => "events replayed",
        Step::History => "events into history",
        Step::Auditing => "events audited",
    }
}

fn told(args: &RestoreArgs, restored: &Restored) -> String {
    let Restored { first_seq, last_seq, last_at, digest } = *restored;
    let mut text = format!(
        "{} is as it was after event {last_seq}, of {}: the auditor found nothing.\nLedger {digest}\n",
        args.dir.display(),
        show_time(last_at)
    );
    if first_seq > 1 {
        text.push_str(&format!(
            "The backup does not have the events before {first_seq}: history begins there.\n"
        ));
    }
    text
}
