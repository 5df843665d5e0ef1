//! Tests the expansion against M4: edition 2024, queue-core under another name or path, every lint denied.
#![deny(warnings, missing_docs, rustdoc::all, clippy::all, clippy::pedantic)]
#![forbid(unsafe_code)]

use background::{JobError, background_job};

/// The re-exports of a framework on top of this one.
pub mod framework {
    pub use background as jobs;
}

/// A pool of connections.
#[derive(Debug)]
pub struct Pool;

/// Ships an order.
///
/// # Errors
///
/// Nothing is in stock.
#[background_job(crate = background, unique = "{order}", backoff = fixed("5s"))]
pub async fn ship(#[inject] pool: &Pool, order: u64, note: Option<&str>) -> Result<(), JobError> {
    println!("{pool:?} {order} {note:?}");
    Err(JobError::permanent("out of stock"))
}

/// Packs an order.
#[background_job(crate = crate::framework::jobs, blocking)]
pub fn pack(#[inject] pool: &Pool, orders: &[u64]) {
    println!("{pool:?} {orders:?}");
}

/// Lists the jobs.
#[must_use]
pub fn all() -> background::Jobs {
    background::jobs![ship, pack]
}
