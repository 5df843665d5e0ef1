//! The few things that a hosted loop asks of an async runtime.

use futures_util::future::BoxFuture;

use crate::contract::clock::Clock;

/// Runs a call that blocks on a thread where that does no harm.
pub trait Blocking: Send + Sync + 'static {
    /// Runs `call` and waits for its end.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops waiting; the call itself goes on to its end, since a thread can't be stopped.
    fn run_blocking(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()>;
}

/// A runtime: its clock, its tasks, and its threads.
///
/// The hosted loop stands on this alone, so that the very same loop runs in production and under simulation.
pub trait Runtime: Clock + Blocking {
    /// Starts a task beside the jobs. It runs until it ends; dropping nothing stops it.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Starts a task on a thread of its own, which jobs that hog this runtime can't hold up.
    fn spawn_apart(&self, name: &str, task: BoxFuture<'static, ()>);
}
