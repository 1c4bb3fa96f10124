//! `stockhold top`: how a server does, drawn in a terminal, for who has no browser.

mod ask;
mod draw;
mod figures;
mod live;
mod numbers;
mod show;
#[cfg(test)]
mod tests;
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use self::ask::Asker;
use self::watch::Watch;
use crate::base::error::{Error, Result};
use crate::process::{print, runtime};
use crate::settings::{Flags, OfReport, duration};

/// How often a server can be asked.
const EVERY_MIN: Duration = Duration::from_millis(100);

#[derive(Args)]
pub(super) struct TopArgs {
    /// Ask the server at this address [default: where the settings let it listen]
    #[arg(long, value_name = "IP:PORT")]
    server: Option<SocketAddr>,
    /// A file with a token of a monitor or an operator [default: one is made with auth_secret]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// How long between two looks
    #[arg(long, default_value = "1s")]
    every: String,
    /// Look twice, print one picture as text, and end: with 1 when the server is away
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    settings: Flags<OfReport>,
}

pub(super) fn top(args: &TopArgs) -> Result<std::process::ExitCode> {
    let every = Duration::from_millis(duration::parse_ms(&args.every)?);
    if every < EVERY_MIN {
        return Err(Error::invalid(format!("every must be at least {EVERY_MIN:?}")));
    }
    let asker = Asker::new(args.settings.settings()?, args.server, args.token_file.clone())?;
    if args.once { once(&asker, every) } else { live::show(asker, every) }
}

/// Rates take two looks.
fn once(asker: &Asker, every: Duration) -> Result<std::process::ExitCode> {
    let begun = Instant::now();
    let watch = runtime()?.block_on(async {
        let mut watch = Watch::new(asker.place());
        let mut ticks = tokio::time::interval(every);
        for _ in 0..2 {
            ticks.tick().await;
            let answer = asker.ask().await;
            watch.saw(begun.elapsed(), answer.map_err(|error| error.to_string()));
        }
        watch
    });
    print(&draw::text(&watch, begun.elapsed()))?;
    Ok(if watch.away.is_none() {
        std::process::ExitCode::SUCCESS
    } else {
        std::process::ExitCode::FAILURE
    })
}
