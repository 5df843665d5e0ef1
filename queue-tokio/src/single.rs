//! A queue service that runs without a host of the application's own.

use std::future::Future;

use crate::host::{Host, HostError, ShutdownReport};
use crate::service::QueueService;

impl QueueService {
    /// Runs the service until `end` completes or the service fails; then stops it gracefully.
    ///
    /// It suits a small program, a command line or a test whose jobs inject no services of the application. It does what a
    /// [`Host`] with this service alone does: running jobs have [`Host::SHUTDOWN_TIMEOUT`] to end by themselves before they are
    /// interrupted. It does not listen to signals.
    ///
    /// ```
    /// use queue_core::{QueueExt as _, background_job, jobs};
    /// use queue_tokio::{MemoryQueue, QueueService};
    ///
    /// #[background_job]
    /// async fn greet(name: &str) {
    ///     println!("hello, {name}");
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let queue = MemoryQueue::new();
    /// queue.enqueue(greet::new("world")).await?;
    ///
    /// let stopped = QueueService::new(queue.clone(), jobs![greet]).run_until(queue.idle()).await?;
    ///
    /// assert!(stopped.interrupted.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A job needs a service, or a setting is invalid: [`HostError::Invalid`], before any job runs. Or the service failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the service in the background, gracefully, for as long as the runtime lives.
    pub async fn run_until(self, end: impl Future<Output = ()> + Send) -> Result<ShutdownReport, HostError> {
        Host::builder().service(self).build()?.run_until(end).await
    }
}
