//! Measures the queue and its peers in one run, and stores the results.
//!
//! Systems alternate (A B C A B C …), so that other load on the machine affects all alike, and a figure counts as a
//! ratio within its round. Each measurement is a child process of its own, so that memory, threads and CPU time of one system
//! are in no other's figures. `README.md` describes the workloads.

mod admin;
mod bloat;
mod case;
mod peer;
mod report;
mod results;
mod resume;
mod round;
mod server;
mod sharing;
mod soak;
mod suite;
mod systems;
mod targets;
mod workload;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use case::{Case, Contender};
use report::Report;
use suite::Suite;
use workload::Workload;

/// Measures background-job systems side by side.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Call {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures the systems that keep jobs in memory.
    Memory(Setup),
    /// Measures the systems that keep jobs in an SQLite file.
    Sqlite(Setup),
    /// Measures the systems that keep jobs on a PostgreSQL server.
    Postgres(Setup),
    /// Measures how the cost of a job of this project changes as something grows, in memory and in an SQLite file.
    Curves(Setup),
    /// Measures what partitions and limits cost, and what they hold, in memory, in an SQLite file and on a PostgreSQL server.
    Limits(Setup),
    /// Measures whether queue-postgres keeps its speed: after many jobs, beside an open transaction, and after the server was
    /// killed.
    PostgresBloat(bloat::Setup),
    /// Measures what an operator's calls cost beside many jobs, in memory, in an SQLite file and on a PostgreSQL server.
    Admin(admin::Setup),
    /// Measures whether queue-tokio and queue-sqlite keep their speed while many jobs pass through.
    Soak(soak::Setup),
    /// Measures one suite after the other.
    All(Setup),
    /// Runs one measurement in this process and prints it as JSON; each round calls it.
    #[command(hide = true)]
    Measure {
        /// The case, as JSON.
        case: String,
    },
}

/// The selection of measurements.
#[derive(Clone, Debug, Args)]
struct Setup {
    /// The number of rounds that count, after one to warm up.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The number of jobs that pass through a system in a measurement.
    ///
    /// By default 2,000,000 for the systems in memory and 100,000 in the other suites, of which each system gets a part or a multiple.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    jobs: Option<u64>,
    /// Measures only this system; may be repeated.
    #[arg(long, value_name = "SYSTEM")]
    only: Vec<Contender>,
    /// Measures only this workload; may be repeated.
    #[arg(long, value_name = "WORKLOAD")]
    workload: Vec<Workload>,
    /// Continues an interrupted run, of the same code and size.
    #[arg(long)]
    resume: bool,
    /// Measures the cost of a job beside up to 10,000,000 queued or kept ones in memory, instead of 1,000,000.
    #[arg(long)]
    full: bool,
}

impl Setup {
    /// Returns whether everything is measured, so that the results may be stored.
    fn is_complete(&self) -> bool {
        self.only.is_empty() && self.workload.is_empty()
    }

    fn workloads(&self, suite: Suite) -> impl Iterator<Item = Workload> {
        let is_wanted = |workload: &Workload| self.workload.is_empty() || self.workload.contains(workload);
        suite.workloads().iter().copied().filter(is_wanted)
    }

    /// Returns the cases of a workload, in the order in which they alternate.
    fn cases(&self, suite: Suite, workload: Workload) -> Vec<Case> {
        let is_wanted = |case: &Case| self.only.is_empty() || self.only.contains(&case.system);
        workload.cases(suite, self).into_iter().filter(is_wanted).collect()
    }
}

fn main() -> anyhow::Result<()> {
    match Call::parse().command {
        Command::Memory(setup) => compare(Suite::Memory, &setup)?,
        Command::Sqlite(setup) => compare(Suite::Sqlite, &setup)?,
        Command::Postgres(setup) => compare(Suite::Postgres, &setup)?,
        Command::Curves(setup) => compare(Suite::Curves, &setup)?,
        Command::Limits(setup) => compare(Suite::Limits, &setup)?,
        Command::PostgresBloat(setup) => bloat::run(&setup)?,
        Command::Admin(setup) => admin::run(&setup)?,
        Command::Soak(setup) => soak::run(&setup)?,
        Command::All(setup) => {
            for suite in Suite::ALL {
                compare(suite, &setup)?;
            }
        }
        Command::Measure { case } => {
            let case: Case = serde_json::from_str(&case).context("the case is not valid")?;
            println!("{}", serde_json::to_string(&workload::measure(case)?)?);
        }
    }
    Ok(())
}

/// Runs a suite, prints the results, and stores them if they are complete.
fn compare(suite: Suite, setup: &Setup) -> anyhow::Result<()> {
    let results = round::all(suite, setup)?;
    let report = Report::new(suite, &results, setup)?;
    report.publish(setup.is_complete(), "a run of all systems and workloads")
}
