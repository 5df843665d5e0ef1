//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::queue::Location;

/// Kills the processes of a durable queue at random, fills its disk and spoils its file, and checks what it promised.
#[derive(Debug, Parser)]
#[command(name = "queue-torture")]
pub(crate) struct Settings {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tortures the queue in an SQLite file.
    Sqlite(Torture),
    /// Tortures the queue in PostgreSQL, on a server of its own that is killed as well.
    Postgres(Torture),
    /// Sends jobs through an SQLite file, which must not grow with them.
    Soak(Soak),
    /// Stops workers by SIGTERM under load; each must leave no job leased, and none discarded unrun.
    Stops(Stops),
    /// Judges the kept folder of an earlier run of kills once more.
    Judge {
        /// The folder, with the database and the journals.
        folder: PathBuf,
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
    /// Fills a file up to a limit of this process.
    #[command(hide = true)]
    Fill(Fill),
}

/// How long, and how.
#[derive(Debug, Args)]
pub(crate) struct Torture {
    /// Kills for so many minutes.
    #[arg(long, conflicts_with = "kills")]
    pub(crate) minutes: Option<f64>,
    /// Kills so many processes.
    #[arg(long, default_value_t = 40)]
    pub(crate) kills: u32,
    /// Repeats the choices of an earlier run.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Stops workers by SIGTERM this many times.
    #[arg(long, default_value_t = 20)]
    pub(crate) stops: u32,
    /// Changes the password of a queue in PostgreSQL this many times.
    #[arg(long, default_value_t = 5)]
    pub(crate) rotations: u32,
    /// Restores a server from a backup this many times.
    #[arg(long, default_value_t = 3)]
    pub(crate) restores: u32,
    /// Runs one scenario instead of all that the queue has.
    #[arg(long)]
    pub(crate) only: Option<Scenario>,
    /// Keeps the folders of what passed, too.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Fills the disk by a limit on the size of files, even where a small disk could be mounted.
    #[arg(long)]
    pub(crate) no_mount: bool,
}

impl Torture {
    /// Returns whether a scenario is to be run.
    pub(crate) fn includes(&self, scenario: Scenario) -> bool {
        self.only.is_none_or(|only| only == scenario)
    }
}

/// What can be run alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Files that are no database; SQLite alone.
    CorruptFile,
    /// A disk that is full.
    DiskFull,
    /// A password that is changed; PostgreSQL alone.
    Credentials,
    /// A server that is restored from a backup; PostgreSQL alone.
    Restores,
    /// Processes that are killed.
    Kills,
    /// Workers that are stopped by SIGTERM.
    Stops,
}

/// How many jobs.
#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// Sends so many jobs through.
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) jobs: u64,
}

/// What a process of the load is told.
#[derive(Debug, Args)]
pub(crate) struct Role {
    /// The file, or the URL of the database.
    #[arg(long)]
    pub(crate) location: Location,
    /// Where to write down what it does.
    #[arg(long)]
    pub(crate) journal: PathBuf,
    /// The journal of a dead one whose unanswered push it repeats.
    #[arg(long)]
    pub(crate) repeat_pushes_of: Option<PathBuf>,
    /// What its choices depend on.
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

/// How many stops, of which queue.
#[derive(Debug, Args)]
pub(crate) struct Stops {
    /// The queue.
    pub(crate) backend: Backend,
    /// Stops workers this many times.
    #[arg(long, default_value_t = 200)]
    pub(crate) stops: u32,
    /// Repeats the choices of an earlier run.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

/// Which queue a worker serves.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The file, or the URL of the database.
    #[arg(long)]
    pub(crate) location: Location,
    /// The name of the queue.
    #[arg(long)]
    pub(crate) queue: String,
}

/// Where to push until nothing more is taken.
#[derive(Debug, Args)]
pub(crate) struct Fill {
    /// The folder of the file.
    #[arg(long)]
    pub(crate) folder: PathBuf,
}
