//! The host: starts services in order, waits for the end, and stops them in reverse.
//!
//! # Tasks
//!
//! The caller's task drives the host: it starts the services, waits, and stops them. Each started service has a task of its
//! own, which runs the service and restarts it if its [`OnFailure`] says so.
//!
//! # Shared state
//!
//! | state | content |
//! | --- | --- |
//! | `HostContext::draining` | fires once, when the host stops: no new work begins in any service |
//! | `StopOnDrop::all` | cancelled when the shutdown timeout has passed, or the host is dropped: all services stop |
//! | `HostContext::stopping` | of each service, a child of `all`: cancelled when it is this service's turn to stop |
//! | `RunningHost::failed`, `failures` | a channel for services that failed for good |
//! | `HostContext::cut_short` | the work that was interrupted, for the report |
//! | `Health`, `HostContext::health` | the status of the host and of each service, as last reported |
//!
//! # Who wakes whom
//!
//! | waiter | waits for | woken by |
//! | --- | --- | --- |
//! | `Host::run` | a signal, or a failure | the operating system, or a service's task |
//! | a service | `draining`, then its `stopping` | `RunningHost::stop` |
//! | a service between two runs | its pause | the clock, `draining` or `stopping` |
//! | `RunningHost::stop` | the drain delay | the clock |
//! | `RunningHost::stop` | the service's task | its end, or the service's time limit |
//! | `Health::wait_for` | a change of the status | each report |
//!
//! # Shutdown
//!
//! 1. The health turns to `Stopping`, and the host waits for the drain delay.
//! 2. `draining` fires for all services.
//! 3. In reverse order, each service's `stopping` is cancelled and the host waits for its task.
//! 4. When the shutdown timeout has passed, `all` is cancelled, so the remaining services stop at the same time.
//! 5. A service that takes longer than the shutdown timeout and its clean-up time is dropped.
//! 6. The singletons are disposed.
//! 7. The host returns the first failure, or its report.
//!
//! # Races
//!
//! - A service fails while a later one starts: the start ends, and the stop returns the failure.
//! - A service fails while no caller waits for failures: the failure stays in the channel, and the stop returns it.
//! - The stop begins while a service pauses before a restart: the pause ends, and the service does not run again.

mod builder;
mod error;
mod running;
mod signals;
mod supervise;

use std::future::Future;
use std::time::Duration;

use queue_core::services::Services;

pub use builder::HostBuilder;
pub use error::HostError;
pub use running::{RunningHost, ShutdownReport};
pub use supervise::OnFailure;

use signals::Signals;
use supervise::Supervised;

use crate::health::Health;

/// Runs hosted services until the application ends: the counterpart of .NET's generic host.
///
/// ```
/// # use queue_core::{background_job, jobs, QueueExt as _, Services};
/// # use queue_tokio::{Host, QueueService, MemoryQueue};
/// # #[background_job]
/// # async fn greet(name: &str) { println!("hello, {name}"); }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let queue = MemoryQueue::new();
/// let host = Host::builder()
///     .services(Services::builder().build()?)
///     .service(QueueService::new(queue.clone(), jobs![greet]))
///     .build()?;
///
/// let running = host.start().await?; // or `host.run().await?`, until Ctrl-C or SIGTERM
/// queue.enqueue(greet::new("world")).await?;
/// running.stop().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Host {
    services: Services,
    hosted: Vec<Supervised>,
    shutdown_timeout: Duration,
    drain_delay: Duration,
    health: Health,
}

impl Host {
    /// The default time that running work has to end by itself. With the grace period of a
    /// [`QueueService`](crate::QueueService), it fits the 30 s that Kubernetes waits before it kills a pod.
    pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(20);

    /// Creates a builder.
    pub fn builder() -> HostBuilder {
        HostBuilder::new()
    }

    /// Returns a handle on the health of the host and its services. It stays valid after the host has stopped.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Starts the services and runs until Ctrl-C, SIGTERM, or the failure of a service; then stops gracefully.
    ///
    /// A second signal aborts: this method returns at once, and tasks that still run end with the program. A blocking job that
    /// hangs holds up the end of tokio's runtime, and thus of the program, unless the runtime is shut down in the background.
    ///
    /// # Errors
    ///
    /// A service could not start, a service failed, or a second signal came.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the host in the background, gracefully, for as long as the runtime lives.
    pub async fn run(self) -> Result<ShutdownReport, HostError> {
        let mut signals = Signals::listen()?;
        let mut running = self.begin();
        tokio::select! {
            biased;
            signal = signals.next() => tracing::info!(signal, "stopping; a second signal aborts"),
            () = running.run() => {}
        }
        tokio::select! {
            biased;
            _ = signals.next() => Err(HostError::Aborted),
            stopped = running.stop() => stopped,
        }
    }

    /// Starts the services and runs until `end` completes or a service fails; then stops gracefully.
    ///
    /// If `end` completes while services still start, the start ends too, and the started services are stopped.
    ///
    /// # Errors
    ///
    /// A service could not start, or failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the host in the background, gracefully, for as long as the runtime lives.
    pub async fn run_until(self, end: impl Future<Output = ()> + Send) -> Result<ShutdownReport, HostError> {
        let mut running = self.begin();
        tokio::select! {
            biased;
            () = end => {}
            () = running.run() => {}
        }
        running.stop().await
    }

    /// Starts the services, each after the previous one is ready.
    ///
    /// # Errors
    ///
    /// A service could not start, or failed meanwhile. The services started so far are stopped, in reverse.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the services started so far.
    pub async fn start(self) -> Result<RunningHost, HostError> {
        self.begin().start().await
    }

    /// Creates the running host, with no service started yet.
    fn begin(self) -> RunningHost {
        for (service, unserved) in Supervised::unserved(&self.hosted) {
            tracing::warn!(service, "{unserved}");
        }
        RunningHost::new(self)
    }
}
