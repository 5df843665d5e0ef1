//! The face that the workloads see of a system.

use std::future::Future;

use crate::scratch::Scratch;
use crate::tally::{Payload, Tally};

/// How many jobs a system runs at once, where nothing else is said.
pub const WORKERS: usize = 64;

/// A system that takes jobs and runs them.
///
/// It's set up as its own documentation shows it, and does all that it does by default.
pub trait System: Sized + Send + 'static {
    /// What an enqueuing task holds.
    type Producer: Producer;
    /// What runs the jobs, for as long as it's kept.
    type Workers: Send;

    /// Makes it, empty and without workers.
    fn open(scratch: &Scratch, tally: Tally) -> impl Future<Output = anyhow::Result<Self>> + Send;

    /// Gives one more task its way in.
    fn producer(&self) -> Self::Producer;

    /// Starts workers that run so many jobs at once.
    fn start(&mut self, workers: usize) -> impl Future<Output = anyhow::Result<Self::Workers>> + Send;
}

/// One task's way into a system.
pub trait Producer: Send + 'static {
    /// Enqueues a job, and waits for room where there are bounds.
    fn enqueue(&mut self, payload: Payload) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Enqueues a batch; a job a call where a system has no better way.
    fn enqueue_all(&mut self, payloads: Vec<Payload>) -> impl Future<Output = anyhow::Result<()>> + Send {
        async move {
            for payload in payloads {
                self.enqueue(payload).await?;
            }
            Ok(())
        }
    }
}
