//! Tests of the in-memory queue, the hosted loop and the host.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod announcing;
mod blocked_settlements;
mod blocking_threads;
mod conformance;
mod discards;
mod draining;
mod events;
mod extremes;
mod failing_queue;
mod health;
mod host;
#[cfg(feature = "axum")]
mod http;
mod idle;
mod inbox;
mod job_check;
mod kit;
mod leases;
mod limits;
mod memory;
mod prefetch;
mod progress;
mod readme;
mod results;
mod running;
mod side_by_side;
mod signals;
mod single;
mod starting;
mod stopping;
mod world;
