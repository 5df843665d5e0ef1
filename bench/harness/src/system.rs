//! The interface of a measured system.

use std::future::Future;

use crate::scratch::Scratch;
use crate::tally::{Payload, Tally};

/// The default number of jobs that a system runs concurrently.
pub const WORKERS: usize = 64;

/// A system that takes jobs and runs them.
///
/// It is set up as its own documentation shows, with all its defaults.
pub trait System: Sized + Send + 'static {
    /// The handle of an enqueuing task.
    type Producer: Producer;
    /// The workers; dropping it stops them.
    type Workers: Send;

    /// Creates the system, empty and without workers.
    fn open(scratch: &Scratch, tally: Tally) -> impl Future<Output = anyhow::Result<Self>> + Send;

    /// Returns the handle for one more enqueuing task.
    fn producer(&self) -> Self::Producer;

    /// Starts workers that run `workers` jobs concurrently.
    fn start(&mut self, workers: usize) -> impl Future<Output = anyhow::Result<Self::Workers>> + Send;
}

/// Enqueues jobs for one task.
pub trait Producer: Send + 'static {
    /// Enqueues a job, and waits for capacity if the queue has a bound.
    fn enqueue(&mut self, payload: Payload) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Enqueues a batch; by single calls if the system has no better way.
    fn enqueue_all(&mut self, payloads: Vec<Payload>) -> impl Future<Output = anyhow::Result<()>> + Send {
        async move {
            for payload in payloads {
                self.enqueue(payload).await?;
            }
            Ok(())
        }
    }
}
