//! `stockhold rebuild`: history made anew, or the ledger's snapshot.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::progress::Progress;
use crate::base::error::Result;
use crate::engine::Accepted;
use crate::process::print;
use crate::reader::{Rebuilt, accept_loss, rebuild_history, rebuild_snapshot};

#[derive(Args)]
pub(in crate::cli) struct RebuildArgs {
    /// The data directory; no server may be running on it
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Make the ledger's snapshot anew instead of history
    #[arg(long)]
    snapshot: bool,
    /// Go on without acknowledged records that are missing from the end of the journal: set aside
    /// what shows them
    #[arg(long, conflicts_with = "snapshot")]
    accept_loss: bool,
}

pub(in crate::cli) fn rebuild(args: &RebuildArgs) -> Result<ExitCode> {
    if args.accept_loss {
        print(&told_loss(accept_loss(&args.dir)?.as_ref()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rebuilt = {
        let progress = Progress::new("events");
        let mut tell = |done, total| progress.at(done, total);
        match args.snapshot {
            true => rebuild_snapshot(&args.dir, &mut tell)?,
            false => rebuild_history(&args.dir, &mut tell)?,
        }
    };
    print(&told(&rebuilt, args.snapshot))?;
    Ok(ExitCode::SUCCESS)
}

fn told_loss(accepted: Option<&Accepted>) -> String {
    let Some(Accepted { last_seq, shown_seq, set_aside }) = accepted else {
        return "Nothing shows more than the journal has: nothing was changed.\n".to_owned();
    };
    let mut text = format!(
        "Records {} to {shown_seq} are missing, and that is accepted: the next start goes on from record {last_seq}.\n\
         Claims are given up: a mirror has to be reloaded.\n",
        last_seq + 1
    );
    for path in set_aside {
        text.push_str(&format!(
            "What showed them is now {}; keep it until you know what they were.\n",
            path.display()
        ));
    }
    text
}

fn told(rebuilt: &Rebuilt, snapshot: bool) -> String {
    let Rebuilt { first_seq, last_seq, path, set_aside } = rebuilt;
    let what = if snapshot { "The snapshot" } else { "History" };
    let mut text = format!("{what} is made anew to event {last_seq}: {}\n", path.display());
    if *first_seq > 1 {
        let begins =
            if snapshot { "the oldest snapshot was its beginning" } else { "it begins there" };
        text.push_str(&format!(
            "Events before {first_seq} are no longer kept, or cannot be read; {begins}.\n"
        ));
    }
    if let Some(set_aside) = set_aside {
        text.push_str(&format!(
            "What was there before is now {}; it may be deleted.\n",
            set_aside.display()
        ));
    }
    text
}
