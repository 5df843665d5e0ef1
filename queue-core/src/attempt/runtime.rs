//! The functions that a hosted loop needs from an async runtime.

use futures_util::future::BoxFuture;

use crate::contract::clock::Clock;

/// Runs blocking calls on threads that may block.
pub trait Blocking: Send + Sync + 'static {
    /// Runs `call` and waits for its end.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the wait stops. The call itself continues to its end, since a thread cannot be stopped.
    fn run_blocking(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()>;
}

/// An async runtime: its clock, its tasks, and its threads.
///
/// The hosted loop depends only on this trait, so that the same loop runs in production and in a simulation.
pub trait Runtime: Clock + Blocking {
    /// Starts a task on the runtime of the jobs. The task runs until it ends; it cannot be stopped by dropping a handle.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Starts a task on its own thread, which jobs that block this runtime cannot delay.
    fn spawn_apart(&self, name: &str, task: BoxFuture<'static, ()>);

    /// Returns how many threads run the tasks of the jobs: one by default. The hosted loop divides its jobs by it.
    fn threads(&self) -> usize {
        1
    }
}
