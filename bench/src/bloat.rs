//! Whether our queue on a PostgreSQL server stays as it is: after many jobs, beside a transaction that keeps vacuum from
//! removing what has gone, and after the server was killed.
//!
//! Ours alone, once, in this process; each of the three has a fresh server.

mod backpressure;
mod phases;
mod recovery;

use clap::Args;
use tokio::runtime::{Builder, Runtime};

use crate::report::Report;
use crate::server::Server;

pub(crate) use phases::Step;
pub(crate) use recovery::Recovery;

/// How much is put through the queue.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Setup {
    /// How many jobs go through, told apart in ten parts.
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(10_000..))]
    jobs: u64,
    /// How many go through while a transaction is open elsewhere, told apart in ten parts.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(10_000..))]
    held: u64,
    /// How often the server is killed.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    kills: u32,
}

impl Setup {
    /// Whether it's all by default, so that the results may be kept.
    fn is_complete(&self) -> bool {
        *self == Self { jobs: 10_000_000, held: 1_000_000, kills: 5 }
    }
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Where the jobs were kept.
    pub(crate) place: String,
    /// What each part of the jobs cost.
    pub(crate) steps: Vec<Step>,
    /// The same, beside an open transaction.
    pub(crate) held: Vec<Step>,
    /// How it went on after each death of the server.
    pub(crate) recoveries: Vec<Recovery>,
}

/// Measures all three, shows what was found, and keeps it if it's complete.
pub(crate) fn run(setup: &Setup) -> anyhow::Result<()> {
    let server = Server::start()?;
    let place = server.told()?;
    let steps = runtime()?.block_on(phases::run(&server, setup.jobs, phases::Elsewhere::Nothing))?;
    drop(server);
    let held =
        runtime()?.block_on(phases::run(&Server::start()?, setup.held, phases::Elsewhere::Transaction))?;
    let recoveries = runtime()?.block_on(recovery::run(&Server::start()?, setup.kills))?;

    Report::of_bloat(&Outcome { place, steps, held, recoveries })?
        .publish(setup.is_complete(), "a run with all settings by default")
}

/// Makes one for each, so that nothing of one goes on beside the next.
fn runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}
