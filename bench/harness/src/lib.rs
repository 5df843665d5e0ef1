//! How a system is put under a load, and what is measured of it.
//!
//! The benchmarks' own program links it for what runs in memory and for ours; a peer that brings an SQLite of its own
//! is a program of its own, which implements [`System`] and calls [`program::run`].

pub mod program;

mod figures;
mod load;
mod measurement;
mod series;
mod site;
mod system;
mod tally;
mod usage;

pub use figures::{Figures, Metric};
pub use load::{Load, Waits};
pub use measurement::{BATCH, LATENCY_JOBS, measure, runtime};
pub use series::Series;
pub use site::{Site, filesystem, sweep};
pub use system::{Producer, System, WORKERS};
pub use tally::{Payload, Tally};
