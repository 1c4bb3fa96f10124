//! The command line: parse, call, print.

mod audit;
mod backup;
mod bench;
mod catalogue;
mod clock;
mod import;
#[cfg(feature = "mysql")]
mod mirror;
mod points;
mod probe;
mod recommend;
mod report;
mod restore;
mod revoke;
mod serve;
mod simulate;
mod token;
mod top;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::base::error::Error;
use crate::process::logs;

#[derive(Parser)]
#[command(
    name = "stockhold",
    version,
    about = "A stock ledger that never oversells, behind a points mall's API"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the mall over HTTP
    Serve(Box<serve::ServeArgs>),
    /// Print a token for a user, on the last line
    Token(Box<token::TokenArgs>),
    /// Simulate a flash sale, and check that nothing was oversold and no point was lost
    FlashSale(crate::trials::flash_sale::FlashSaleArgs),
    /// Run the engine through crashes, disk faults and clock jumps that follow from seeds, and
    /// check what is left
    Simulate(simulate::SimulateArgs),
    /// Run a server under load and kill, stop and starve it over and over, and check that it keeps
    /// every promise
    Soak(crate::trials::soak::SoakArgs),
    /// Take over what was there before the ledger, into a directory that no server has open
    Import(import::ImportArgs),
    /// Write many categories and products at once, or print them all
    Catalogue(catalogue::CatalogueArgs),
    /// Award, deduct and refund the points of many users at once, or look after a service that keeps them
    Points(points::PointsArgs),
    /// Show what happened in a day or a week: exchanges, points, users, products, refunds, revenue
    Report(report::ReportArgs),
    /// Measure how well recommendations foresee what users take
    Recommend(recommend::RecommendArgs),
    /// Look after the mirror: the reporting tables in MySQL or MariaDB
    #[cfg(feature = "mysql")]
    Mirror(mirror::MirrorArgs),
    /// Measure speed and memory on this machine, against targets, limits and peers
    Bench(bench::BenchArgs),
    /// Ask a server on this machine whether it lives, for images that have no other program
    Probe(probe::ProbeArgs),
    /// Show in the terminal how a server does, as it goes on
    Top(top::TopArgs),
    /// Audit a data directory: recompute everything from its events, and say what does not hold
    Verify(audit::VerifyArgs),
    /// Show the files of a data directory, its events, or the history of an account or a
    /// reservation
    Inspect(audit::InspectArgs),
    /// Show the whole ledger as it stood after an event, or at a time
    State(audit::StateArgs),
    /// Show whether a journal's time is ahead of the machine's clock, and set it back
    Clock(clock::ClockArgs),
    /// Copy what a data directory has to another disk or an object store, while a server runs on it
    Backup(backup::BackupArgs),
    /// Make a data directory as it was at any moment that a backup has
    Restore(restore::RestoreArgs),
    /// Make history anew from snapshot, journal and archive, or the ledger's snapshot
    Rebuild(audit::RebuildArgs),
}

/// The `stockhold` program: reads the command line, and returns the process's exit code.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(args) => serve::serve(&args).map(|()| ExitCode::SUCCESS),
        Command::Token(args) => token::token(&args).map(|()| ExitCode::SUCCESS),
        Command::FlashSale(args) => crate::trials::flash_sale::flash_sale(&args),
        Command::Simulate(args) => simulate::simulate(&args),
        Command::Soak(args) => crate::trials::soak::soak(&args),
        Command::Import(args) => import::import(&args),
        Command::Catalogue(args) => catalogue::catalogue(&args),
        Command::Points(args) => points::points(&args),
        Command::Report(args) => report::report(&args),
        Command::Recommend(args) => recommend::recommend(&args).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "mysql")]
        Command::Mirror(args) => mirror::mirror(&args),
        Command::Bench(args) => bench::bench(&args).map(|()| ExitCode::SUCCESS),
        Command::Probe(args) => probe::probe(&args),
        Command::Top(args) => top::top(&args),
        Command::Verify(args) => audit::verify(&args),
        Command::Inspect(args) => audit::inspect(&args),
        Command::State(args) => audit::state(&args),
        Command::Clock(args) => clock::clock(&args),
        Command::Backup(args) => backup::backup(&args),
        Command::Restore(args) => restore::restore(&args),
        Command::Rebuild(args) => audit::rebuild(&args),
    };
    let code = result.unwrap_or_else(|error| {
        tell(&error);
        ExitCode::FAILURE
    });
    logs::flush();
    code
}

fn tell(error: &Error) {
    logs::say(&format!("stockhold: {}", told(error)));
}

/// An error with what caused it.
fn told(error: &Error) -> String {
    let mut told = error.to_string();
    let mut text = told.clone();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Many messages end with their cause.
        if !told.contains(&cause_text) {
            text.push_str(&format!("\n  because: {cause_text}"));
        }
        (told, source) = (cause_text, cause.source());
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
