//! Measures whether the queue on PostgreSQL keeps its speed: after many jobs, beside an open transaction that keeps vacuum from
//! removing dead rows, and after the server was killed.
//!
//! Only this project's queue, once, in this process; each of the three parts has a fresh server.

mod backpressure;
mod phases;
mod recovery;

use clap::Args;
use tokio::runtime::{Builder, Runtime};

use crate::report::Report;
use crate::server::Server;

pub(crate) use phases::Step;
pub(crate) use recovery::Recovery;

/// The sizes of the run.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Setup {
    /// The number of jobs, reported in ten parts.
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(10_000..))]
    jobs: u64,
    /// The number of jobs while a transaction is open elsewhere, reported in ten parts.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(10_000..))]
    held: u64,
    /// The number of times the server is killed.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    kills: u32,
}

impl Setup {
    /// Returns whether all sizes are the defaults, so that the results may be stored.
    fn is_complete(&self) -> bool {
        *self == Self { jobs: 10_000_000, held: 1_000_000, kills: 5 }
    }
}

/// The results.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The server of the jobs.
    pub(crate) place: String,
    /// The cost of each part of the jobs.
    pub(crate) steps: Vec<Step>,
    /// The same, beside an open transaction.
    pub(crate) held: Vec<Step>,
    /// The recovery after each kill of the server.
    pub(crate) recoveries: Vec<Recovery>,
}

/// Measures all three parts, prints the results, and stores them if they are complete.
pub(crate) fn run(setup: &Setup) -> anyhow::Result<()> {
    let server = Server::start()?;
    let place = server.description()?;
    let steps = runtime()?.block_on(phases::run(&server, setup.jobs, phases::Elsewhere::Nothing))?;
    drop(server);
    let held =
        runtime()?.block_on(phases::run(&Server::start()?, setup.held, phases::Elsewhere::Transaction))?;
    let recoveries = runtime()?.block_on(recovery::run(&Server::start()?, setup.kills))?;

    Report::of_bloat(&Outcome { place, steps, held, recoveries })?
        .publish(setup.is_complete(), "a run with all settings by default")
}

/// Creates a runtime for each part, so that no task of one runs beside the next.
fn runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}
