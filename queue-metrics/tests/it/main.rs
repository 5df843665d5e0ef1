//! Tests of the metrics: what is counted, what is read from the store, and that the dashboard and the alerts name what exists.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod files;
mod gauges;
mod jobs;
mod page;
mod store;
