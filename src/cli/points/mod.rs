//! `stockhold points`: the points of many users at once, from a file.

mod import;
mod lines;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::base::error::Result;

#[derive(Args)]
pub(super) struct PointsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Award, deduct and refund points as the lines of a file say, each once however often it is run,
    /// in a directory that no server has open
    Import(import::ImportArgs),
}

pub(super) fn points(args: &PointsArgs) -> Result<ExitCode> {
    match &args.what {
        What::Import(args) => import::import(args),
    }
}
