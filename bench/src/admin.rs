//! Measures what an operator's calls cost beside many jobs, in memory, in an SQLite file and on a PostgreSQL server.
//!
//! Only this project's queues, once, in this process, one after the other.

mod calls;
mod fill;

use std::fmt;

use clap::{Args, ValueEnum};
use harness::{Database, Scratch};
use queue_core::Admin;
use queue_core::table::Retention;
use queue_postgres::PostgresQueue;
use queue_sqlite::SqliteQueue;
use queue_tokio::MemoryQueue;
use tokio::runtime::Builder;

use crate::report::Report;
use crate::server::Server;

use calls::CALLS;
pub(crate) use calls::Call;
pub(crate) use fill::DISCARDED;

/// The sizes of the run.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Setup {
    /// The number of finished jobs, and of waiting jobs.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    jobs: u64,
    /// Only this medium.
    #[arg(long, value_name = "MEDIUM")]
    only: Option<Medium>,
}

/// The medium of the jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Medium {
    /// In memory.
    Memory,
    /// In an SQLite file.
    File,
    /// On a PostgreSQL server.
    Server,
}

impl Setup {
    /// Returns whether all settings are the defaults, so that the results may be stored.
    fn is_complete(&self) -> bool {
        *self == Self { jobs: 1_000_000, only: None }
    }
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "in memory",
            Self::File => "in an SQLite file",
            Self::Server => "on a PostgreSQL server",
        })
    }
}

/// The times of the calls in a medium.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) medium: Medium,
    /// The version of the server, or an empty text.
    pub(crate) place: String,
    pub(crate) calls: Vec<Call>,
}

/// Measures all media, prints the results, and stores them if they are complete.
pub(crate) fn run(setup: &Setup) -> anyhow::Result<()> {
    let media = [Medium::Memory, Medium::File, Medium::Server];
    let mut outcomes = Vec::new();
    for medium in media.into_iter().filter(|medium| setup.only.is_none_or(|only| only == *medium)) {
        // A server that is idle while the other media are measured would cost them nothing, but it starts only here.
        let server = (medium == Medium::Server).then(Server::start).transpose()?;
        let place = server.as_ref().map(Server::description).transpose()?.unwrap_or_default();
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        let calls = runtime.block_on(async {
            let database = match &server {
                Some(server) => Some(Database::on(server.address()?).await?),
                None => None,
            };
            compare(medium, setup.jobs, database.as_ref()).await
        })?;
        outcomes.push(Outcome { medium, place, calls });
    }
    Report::of_admin(setup.jobs, &outcomes)?
        .publish(setup.is_complete(), "a run with all settings by default")
}

/// Measures the calls on an empty store, fills it, and measures them again.
async fn compare(medium: Medium, jobs: u64, database: Option<&Database>) -> anyhow::Result<Vec<Call>> {
    let scratch = Scratch::new(0);
    match (medium, database) {
        (Medium::Memory, _) => {
            let kept = usize::try_from(jobs + DISCARDED)?;
            let retention = Retention::default().completed(kept).discarded(kept);
            let bound = u32::try_from(2 * jobs + DISCARDED)?;
            both(&MemoryQueue::builder().bound(bound).retention(retention).build(), jobs, None).await
        }
        (Medium::Server, Some(database)) => {
            both(&PostgresQueue::connect(database.url()).await?, jobs, Some(database)).await
        }
        (Medium::File | Medium::Server, _) => {
            both(&SqliteQueue::open(scratch.file()?).await?, jobs, None).await
        }
    }
}

async fn both(queue: &impl Admin, jobs: u64, database: Option<&Database>) -> anyhow::Result<Vec<Call>> {
    let empty = calls::measure(queue).await?;
    fill::fill(queue, jobs).await?;
    if let Some(database) = database {
        database.connect().await?.batch_execute("vacuum analyze").await?;
    }
    let filled = calls::measure(queue).await?;
    Ok(CALLS
        .into_iter()
        .zip(empty)
        .zip(filled)
        .map(|((name, empty), filled)| Call { name, empty, filled })
        .collect())
}
