//! Tests of the metrics: the counters, the gauges from the store, and the names in the dashboard and the alerts.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod files;
mod gauges;
mod jobs;
mod limits;
mod page;
#[cfg(feature = "prometheus")]
mod prometheus_page;
mod refusing;
mod store;
