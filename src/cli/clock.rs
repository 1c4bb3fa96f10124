//! `stockhold clock`: the time of a journal that is ahead of the machine's, told and mended.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::base::error::Result;
use crate::engine::{Engine, Mended, mend_clock};
use crate::process::print;
use crate::reader::DirectoryReader;

#[derive(Args)]
pub(super) struct ClockArgs {
    /// The data directory; no server may be running on it
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Set the journal's time back to the machine's
    #[arg(long)]
    mend: bool,
}

/// Exits with 1 when the journal's time is ahead and stays so.
pub(super) fn clock(args: &ClockArgs) -> Result<ExitCode> {
    // Opening would make a directory that is not there.
    DirectoryReader::open(&args.dir)?;
    let mended = mend_clock(Engine::builder(&args.dir), args.mend)?;
    print(&told(&mended, args.mend))?;
    let is_well = args.mend || !mended.is_ahead && mended.reservations == 0;
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn told(mended: &Mended, is_mended: bool) -> String {
    let Mended { reservations, seq, is_ahead, journal_ms, machine_ms } = *mended;
    if !is_ahead {
        return match (reservations, is_mended) {
            (0, _) => "The journal's time is not ahead of the machine's clock: there is nothing to mend.\n".to_owned(),
            (_, true) => format!(
                "An earlier mend was cut off after it had set the time back. {reservations} reservations made in the time \
                 that was ahead are released now.\n"
            ),
            (_, false) => format!(
                "An earlier mend was cut off after it had set the time back: {reservations} reservations that wait were \
                 made in the time that was ahead. Run this again with --mend: it releases them.\n"
            ),
        };
    }
    let ahead_ms = journal_ms.saturating_sub(machine_ms);
    let ahead = humantime::format_duration(std::time::Duration::from_secs(ahead_ms / 1000));
    match seq {
        Some(seq) => format!(
            "The journal's time was {ahead} ahead. It is set back by event {seq}; {reservations} reservations made in \
             the time that was ahead are released.\n"
        ),
        None => format!(
            "The journal's time is {ahead} ahead of the machine's clock; {reservations} reservations that wait were made \
             in that time. If the machine's clock is right now, run this again with --mend: it releases them, and sets \
             the time back.\n"
        ),
    }
}
