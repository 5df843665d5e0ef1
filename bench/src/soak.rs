//! Whether our queue stays as it is while an hour's work is put through it flat out, in memory and in an SQLite file.
//!
//! Ours alone, once, in this process, one place after the other.

mod course;
mod watch;

use std::fmt;

use clap::{Args, ValueEnum};
use tokio::runtime::Builder;

use crate::report::Report;

pub(crate) use course::{BATCH, BOUND, KEPT, Part};
pub(crate) use watch::{DELAY, EVERY};

/// How much is put through the queue.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Setup {
    /// How many jobs go through in memory, told apart in twenty parts.
    #[arg(long, default_value_t = 60_000_000, value_parser = clap::value_parser!(u64).range(10_000..))]
    jobs: u64,
    /// How many go through in an SQLite file, told apart in twenty parts.
    #[arg(long, default_value_t = 3_000_000, value_parser = clap::value_parser!(u64).range(10_000..))]
    jobs_in_file: u64,
    /// Only in this place.
    #[arg(long, value_name = "PLACE")]
    only: Option<Place>,
}

/// Where the jobs are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Place {
    /// In memory.
    Memory,
    /// In an SQLite file.
    File,
}

impl Setup {
    /// Whether it's all by default, so that the results may be kept.
    fn is_complete(&self) -> bool {
        *self == Self { jobs: 60_000_000, jobs_in_file: 3_000_000, only: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "in memory",
            Self::File => "in a file",
        })
    }
}

/// What each part of the jobs cost in a place.
#[derive(Debug)]
pub(crate) struct Course {
    pub(crate) place: Place,
    pub(crate) parts: Vec<Part>,
}

/// Soaks both places, shows what was found, and keeps it if it's complete.
pub(crate) fn run(setup: &Setup) -> anyhow::Result<()> {
    let places = [(Place::Memory, setup.jobs), (Place::File, setup.jobs_in_file)];
    let mut courses = Vec::new();
    for (place, jobs) in places.into_iter().filter(|(place, _)| setup.only.is_none_or(|only| only == *place))
    {
        // A runtime for each, so that nothing of one goes on beside the next.
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        // In a task of its own, as a request would be, rather than on the thread outside of the runtime.
        let parts = runtime.block_on(async { tokio::spawn(course::run(place, jobs)).await? })?;
        courses.push(Course { place, parts });
    }

    Report::of_soak(&courses)?.publish(setup.is_complete(), "a run with all settings by default")
}
