//! How a system is put under a load, and what is measured of it.
//!
//! The benchmarks' own program links it for what runs in memory and for ours; a peer that brings an SQLite of its own,
//! or much else, is a program of its own, which implements [`System`] and calls [`program::run`].

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
pub use measurement::{BATCH, LATENCY_JOBS, measure, runtime};
pub use scratch::{Scratch, filesystem, is_in_memory, scratch_folder, sweep};
pub use series::Series;
pub use server::Server;
pub use system::{Producer, System, WORKERS};
pub use tally::{Payload, Tally};
pub use usage::{cpu, resident};
