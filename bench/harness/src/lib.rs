//! Puts a system under a load and measures it.
//!
//! The benchmark program links it for this project's systems and for those in memory. A peer with its own version of SQLite,
//! or with many dependencies, is a program of its own, which implements [`System`] and calls [`program::run`].

pub mod program;

mod database;
mod figures;
mod latencies;
mod load;
mod measurement;
mod meter;
mod scratch;
mod series;
mod server;
mod system;
mod tally;
mod usage;

pub use database::Database;
pub use figures::{Figures, Metric};
pub use latencies::Latencies;
pub use load::{Load, Waits};
pub use measurement::{BATCH, FLOOD_PATIENCE, LATENCY_JOBS, RUN_TIME, SMALL_JOBS, measure, runtime};
pub use scratch::{Scratch, filesystem, is_in_memory, scratch_folder, sweep};
pub use series::Series;
pub use server::Server;
pub use system::{Producer, System, WORKERS};
pub use tally::{FLOOD, Payload, Tally};
pub use usage::{cpu, resident};
