//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::queue::Location;

/// Kills the processes of a durable queue at random, fills its disk, corrupts its file, and checks its promises.
#[derive(Debug, Parser)]
#[command(name = "queue-torture")]
pub(crate) struct Settings {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The scenario or the process to run.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tortures the queue in an SQLite file.
    Sqlite(Torture),
    /// Tortures the queue in PostgreSQL, on a server of its own that is killed as well.
    Postgres(Torture),
    /// Sends jobs through an SQLite file, which must not grow with them.
    Soak(Soak),
    /// Stops workers by SIGTERM under load. Each must leave no job leased, and no job discarded that did not run.
    Stops(Stops),
    /// Judges the kept folder of an earlier run of kills again.
    Judge {
        /// The folder, with the database and the journals.
        folder: PathBuf,
        /// Limits did bind in that run.
        #[arg(long)]
        limits: bool,
    },
    /// Pushes jobs, until it is killed or its standard input ends.
    #[command(hide = true)]
    Producer(Role),
    /// Uses the database as an application does, until it is killed or its standard input ends.
    #[command(hide = true)]
    Application(Role),
    /// Works on jobs, until it is killed or its standard input ends.
    #[command(hide = true)]
    Worker(Role),
    /// Works on one queue, until SIGTERM or until its standard input ends.
    #[command(hide = true)]
    Serve(Serve),
    /// Performs the ticks of a schedule, until it is killed or its standard input ends.
    #[command(hide = true)]
    Tick(Tick),
    /// Fills a file up to this process's limit on file sizes.
    #[command(hide = true)]
    Fill(Fill),
}

/// The settings of a torture.
#[derive(Debug, Args)]
pub(crate) struct Torture {
    /// Kills processes for this many minutes, and for as many again while limits bind.
    #[arg(long, conflicts_with_all = ["kills", "limit_kills"])]
    pub(crate) minutes: Option<f64>,
    /// Kills this many processes.
    #[arg(long, default_value_t = 40)]
    pub(crate) kills: u32,
    /// Kills this many processes while limits bind.
    #[arg(long, default_value_t = 40)]
    pub(crate) limit_kills: u32,
    /// Repeats the random choices of an earlier run.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Stops workers by SIGTERM this many times.
    #[arg(long, default_value_t = 20)]
    pub(crate) stops: u32,
    /// Kills this many processes that have a schedule.
    #[arg(long, default_value_t = 30)]
    pub(crate) tick_kills: u32,
    /// Changes the password of a queue in PostgreSQL this many times.
    #[arg(long, default_value_t = 5)]
    pub(crate) rotations: u32,
    /// Restores a server from a backup this many times.
    #[arg(long, default_value_t = 3)]
    pub(crate) restores: u32,
    /// Runs one scenario instead of all scenarios of the queue.
    #[arg(long)]
    pub(crate) only: Option<Scenario>,
    /// Keeps the folders of scenarios that passed, too.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Fills the disk by a limit on file sizes, even if a small disk could be mounted.
    #[arg(long)]
    pub(crate) no_mount: bool,
}

impl Torture {
    /// Returns whether to run a scenario.
    pub(crate) fn includes(&self, scenario: Scenario) -> bool {
        self.only.is_none_or(|only| only == scenario)
    }
}

/// A scenario that can run alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Files that are not a database; SQLite only.
    CorruptFile,
    /// A full disk.
    DiskFull,
    /// A password that changes; PostgreSQL only.
    Credentials,
    /// A server that is restored from a backup; PostgreSQL only.
    Restores,
    /// Killed processes.
    Kills,
    /// Killed processes while limits bind.
    Limits,
    /// Workers stopped by SIGTERM.
    Stops,
    /// Killed processes with a schedule.
    Ticks,
}

/// The settings of a soak.
#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// Sends this many jobs through the file.
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) jobs: u64,
}

/// The settings of a process of the load.
#[derive(Debug, Args)]
pub(crate) struct Role {
    /// The file, or the URL of the database.
    #[arg(long)]
    pub(crate) location: Location,
    /// The file to write the journal to.
    #[arg(long)]
    pub(crate) journal: PathBuf,
    /// The journal of a killed producer whose unanswered pushes are repeated.
    #[arg(long)]
    pub(crate) repeat_pushes_of: Option<PathBuf>,
    /// Whether the jobs are spread over the partitions of a queue with limits.
    #[arg(long)]
    pub(crate) limits: bool,
    /// The seed of the process's random choices.
    #[arg(long)]
    pub(crate) seed: u64,
}

/// A durable queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// In an SQLite file.
    Sqlite,
    /// In PostgreSQL, on a server of its own.
    Postgres,
}

/// The settings of the stops.
#[derive(Debug, Args)]
pub(crate) struct Stops {
    /// The queue.
    pub(crate) backend: Backend,
    /// Stops workers this many times.
    #[arg(long, default_value_t = 200)]
    pub(crate) stops: u32,
    /// Repeats the random choices of an earlier run.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

/// The settings of a worker that serves one queue.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The file, or the URL of the database.
    #[arg(long)]
    pub(crate) location: Location,
    /// The name of the queue.
    #[arg(long)]
    pub(crate) queue: String,
}

/// The settings of a process with a schedule.
#[derive(Debug, Args)]
pub(crate) struct Tick {
    /// The file, or the URL of the database.
    #[arg(long)]
    pub(crate) location: Location,
}

/// The settings of the process that fills a file.
#[derive(Debug, Args)]
pub(crate) struct Fill {
    /// The folder of the file.
    #[arg(long)]
    pub(crate) folder: PathBuf,
}
