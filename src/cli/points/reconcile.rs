//! `stockhold points reconcile`: our book of points that are kept elsewhere, beside the service's.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use crate::base::error::{Error, Result};
use crate::history::{Copied, CopiedRow, StoreCopy};
use crate::mall::elsewhere::{Ours, TakeRecord, Trouble, differences};
use crate::points::Client;
use crate::process::{print, runtime};
use crate::settings::{Flags, OfPointsService};

/// The exit code of books that differ.
const DIFFERENT: u8 = 2;
/// Where history is, below the data directory.
const STORE: &str = "store";

#[derive(Args)]
pub(super) struct ReconcileArgs {
    #[command(flatten)]
    settings: Flags<OfPointsService>,
}

pub(super) fn reconcile(args: &ReconcileArgs) -> Result<ExitCode> {
    let config = args.settings.settings()?;
    let service = config.points()?.ok_or_else(|| {
        Error::invalid("there is no points service: name it with --points-service")
    })?;
    let client = Client::new(&service.service)?;
    // Ours first: what the service does meanwhile is of orders that wait, or are not here yet.
    let ours = ours(&config.data_dir)?;
    let theirs = runtime()?
        .block_on(theirs(&client))
        .map_err(|trouble: Trouble| Error::unavailable(format!("the service's book: {trouble}")))?;
    let lines = differences(&ours, &theirs);
    for line in &lines {
        print(&format!("{line}\n"))?;
    }
    let (here, there) = (ours.len(), theirs.len());
    let verdict = match lines.len() {
        0 => "the books are equal".to_owned(),
        count => format!("{count} differences"),
    };
    print(&format!("{here} orders here, {there} takes there: {verdict}\n"))?;
    Ok(if lines.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENT) })
}

/// What the orders in a directory took, from a copy of its history: a server may be running on it.
fn ours(data_dir: &Path) -> Result<BTreeMap<String, Ours>> {
    let scratch = tempfile::tempdir();
    let scratch =
        scratch.map_err(|cause| Error::io("making a directory for a copy of history", cause))?;
    let copy = match StoreCopy::take(&data_dir.join(STORE), scratch.path())? {
        Copied::Sound(copy) => copy,
        Copied::Nothing => {
            let dir = data_dir.display();
            return Err(Error::invalid(format!("there is no history in {dir}")));
        }
        Copied::Busy => {
            return Err(Error::overloaded("history changes all the while: try again"));
        }
        Copied::Damaged(why) => return Err(Error::corrupt(format!("history is damaged: {why}"))),
    };
    let mut ids = Vec::new();
    let mut failed = None;
    copy.scan(&mut |row| match row {
        Ok(CopiedRow::Reservation { id, .. }) => ids.push(id),
        Ok(_) => {}
        Err(error) => failed = failed.take().or(Some(error)),
    })?;
    failed.map_or(Ok(()), Err)?;
    let mut ours = BTreeMap::new();
    for id in ids {
        if let Some((_, record)) = copy.reservation(id)? {
            ours.extend(Ours::of(&record)?);
        }
    }
    Ok(ours)
}

/// All takes of the service, page by page.
async fn theirs(client: &Client) -> Result<BTreeMap<String, TakeRecord>, Trouble> {
    let mut all = BTreeMap::new();
    let mut after = String::new();
    loop {
        let page = client.takes(&after).await?;
        let Some(last) = page.last() else {
            return Ok(all);
        };
        if last.key <= after {
            let why = "its pages do not go on by key".to_owned();
            return Err(Trouble::Refused(why));
        }
        after.clone_from(&last.key);
        all.extend(page.into_iter().map(|take| (take.key.clone(), take)));
    }
}
