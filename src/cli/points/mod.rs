//! `stockhold points`: the points of many users at once, from a file; and a service that keeps them.

mod import;
mod lines;
mod reconcile;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::base::error::Result;
use crate::trials::points_service::{StandInArgs, stand_in};

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
    /// Compare what orders took and returned with the book of the service that keeps the points, a line
    /// for each difference; a server may be running on the directory
    Reconcile(reconcile::ReconcileArgs),
    /// Serve a points service to try the mall with, which misbehaves as it is told
    StandIn(StandInArgs),
}

pub(super) fn points(args: &PointsArgs) -> Result<ExitCode> {
    match &args.what {
        What::Import(args) => import::import(args),
        What::Reconcile(args) => reconcile::reconcile(args),
        What::StandIn(args) => stand_in(args).map(|()| ExitCode::SUCCESS),
    }
}
