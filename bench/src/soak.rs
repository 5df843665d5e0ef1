//! Measures whether the queue keeps its speed while an hour's jobs pass through at full rate, in memory and in an SQLite file.
//!
//! Only this project's queues, once, in this process, one after the other.

mod monitor;
mod phases;

use std::fmt;

use clap::{Args, ValueEnum};
use tokio::runtime::Builder;

use crate::report::Report;

pub(crate) use monitor::{DELAY, EVERY};
pub(crate) use phases::{BATCH, BOUND, KEPT, Part};

/// The sizes of the run.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Setup {
    /// The number of jobs in memory, reported in twenty parts.
    #[arg(long, default_value_t = 60_000_000, value_parser = clap::value_parser!(u64).range(10_000..))]
    jobs: u64,
    /// The number of jobs in an SQLite file, reported in twenty parts.
    #[arg(long, default_value_t = 3_000_000, value_parser = clap::value_parser!(u64).range(10_000..))]
    jobs_in_file: u64,
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
}

impl Setup {
    /// Returns whether all settings are the defaults, so that the results may be stored.
    fn is_complete(&self) -> bool {
        *self == Self { jobs: 60_000_000, jobs_in_file: 3_000_000, only: None }
    }
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "in memory",
            Self::File => "in a file",
        })
    }
}

/// The cost of each part of the jobs in a medium.
#[derive(Debug)]
pub(crate) struct SoakResult {
    pub(crate) medium: Medium,
    pub(crate) parts: Vec<Part>,
}

/// Soaks both media, prints the results, and stores them if they are complete.
pub(crate) fn run(setup: &Setup) -> anyhow::Result<()> {
    let media = [(Medium::Memory, setup.jobs), (Medium::File, setup.jobs_in_file)];
    let mut soaks = Vec::new();
    for (medium, jobs) in
        media.into_iter().filter(|(medium, _)| setup.only.is_none_or(|only| only == *medium))
    {
        // A runtime for each, so that no task of one runs beside the next.
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        // In a task of its own, as a request would be, rather than on the thread outside of the runtime.
        let parts = runtime.block_on(async { tokio::spawn(phases::run(medium, jobs)).await? })?;
        soaks.push(SoakResult { medium, parts });
    }

    Report::of_soak(&soaks)?.publish(setup.is_complete(), "a run with all settings by default")
}
