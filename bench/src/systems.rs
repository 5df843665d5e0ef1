//! The systems, each set up as its own documentation shows it, and the face that the workloads see of them.
//!
//! Every system does all that it does by default. Where a peer has no bound, or runs all jobs in one task, it's left so:
//! what it doesn't do costs it nothing here.

mod apalis;
mod mpsc;
mod payload;
mod port;
mod spawn;
mod us;

use std::future::Future;

use crate::tally::{Payload, Tally};

pub(crate) use apalis::Apalis;
pub(crate) use mpsc::Mpsc;
pub(crate) use payload::Payloads;
pub(crate) use port::Port;
pub(crate) use spawn::Spawn;
pub(crate) use us::{Us, welcome};

/// How many jobs a system runs at once, where it works at all.
pub(crate) const WORKERS: usize = 64;

/// A system that takes jobs and runs them.
pub(crate) trait System: Sized + Send + 'static {
    /// What an enqueuing task holds.
    type Producer: Producer;
    /// What runs the jobs, for as long as it's kept.
    type Workers: Send;

    /// Makes it, without workers, with room for so many jobs if it has bounds.
    fn new(bound: usize, tally: Tally) -> Self;

    fn producer(&self) -> Self::Producer;

    /// Starts [`WORKERS`] workers.
    fn start(&mut self) -> impl Future<Output = anyhow::Result<Self::Workers>> + Send;
}

/// One task's way into a system.
pub(crate) trait Producer: Send + 'static {
    /// Enqueues a job, and waits for room where there are bounds.
    fn enqueue(&mut self, payload: Payload) -> impl Future<Output = anyhow::Result<()>> + Send;
}
