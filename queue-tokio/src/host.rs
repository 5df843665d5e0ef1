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
//!
//! # Who wakes whom
//!
//! | waiter | waits for | woken by |
//! | --- | --- | --- |
//! | `Host::run` | a signal, or a failure | the operating system, or a service's task |
//! | a service | `draining`, then its `stopping` | `RunningHost::stop` |
//! | a service between two runs | its pause | the clock, `draining` or `stopping` |
//! | `RunningHost::stop` | the service's task | its end, or the service's time limit |
//!
//! # Shutdown
//!
//! 1. `draining` fires for all services.
//! 2. In reverse order, each service's `stopping` is cancelled and the host waits for its task.
//! 3. When the shutdown timeout has passed, `all` is cancelled, so the remaining services stop at the same time.
//! 4. A service that takes longer than the shutdown timeout and its clean-up time is dropped.
//! 5. The singletons are disposed.
//! 6. The host returns the first failure, or its report.
//!
//! # Races
//!
//! - A service fails while a later one starts: the start ends, and the stop returns the failure.
//! - A service fails while no caller waits for failures: the failure stays in the channel, and the stop returns it.
//! - The stop begins while a service pauses before a restart: the pause ends, and the service does not run again.

mod error;
mod signals;
mod supervise;

use std::collections::VecDeque;
use std::future::Future;
use std::time::Duration;

use queue_core::services::Services;
use queue_core::{BuildError, ServiceError, StopSignal};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use error::HostError;
pub use supervise::OnFailure;

use signals::Signals;
use supervise::Supervised;

use crate::clock::TokioClock;
use crate::hosted::{HostContext, HostedService};

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
}

impl Host {
    /// The default time that running work has to end by itself.
    pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

    /// The time limit for the disposal of all singletons.
    const DISPOSE_TIMEOUT: Duration = Duration::from_secs(10);

    /// Creates a builder.
    pub fn builder() -> HostBuilder {
        HostBuilder {
            services: Services::none(),
            hosted: Vec::new(),
            shutdown_timeout: Self::SHUTDOWN_TIMEOUT,
        }
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
        let mut running = self.begin();
        running.start_all().await;
        match running.failure {
            // `stop` returns the failure.
            Some(_) => Err(running.stop().await.err().unwrap_or(HostError::Aborted)),
            None => Ok(running),
        }
    }

    /// Creates the running host, with no service started yet.
    fn begin(self) -> RunningHost {
        let served: Vec<_> = self.hosted.iter().flat_map(Supervised::queues).collect();
        for unserved in self.hosted.iter().flat_map(|hosted| hosted.unserved(&served)) {
            tracing::warn!("{unserved}");
        }
        let (failed, failures) = mpsc::unbounded_channel();
        let all = CancellationToken::new();
        let context = HostContext::new(self.services, all.clone(), self.shutdown_timeout);
        RunningHost {
            stop_on_drop: StopOnDrop { draining: context.draining().clone(), all },
            context,
            unstarted: self.hosted.into(),
            started: Vec::new(),
            failed,
            failures,
            failure: None,
        }
    }
}

/// Builds a [`Host`].
#[derive(Debug)]
#[must_use = "call `build` to create the host"]
pub struct HostBuilder {
    services: Services,
    hosted: Vec<Supervised>,
    shutdown_timeout: Duration,
}

impl HostBuilder {
    /// Sets the services that jobs may inject.
    pub fn services(mut self, services: Services) -> Self {
        self.services = services;
        self
    }

    /// Adds a service. If it ends or panics while it should run, the host stops.
    pub fn service(self, service: impl HostedService) -> Self {
        self.service_with(service, OnFailure::StopHost)
    }

    /// Adds a service and sets what happens if it ends or panics while it should run.
    pub fn service_with(mut self, service: impl HostedService, on_failure: OnFailure) -> Self {
        self.hosted.push(Supervised::new(service, on_failure));
        self
    }

    /// Sets the time that running work has to end by itself, in all services together: 30 s by default. `Duration::MAX` waits
    /// for ever.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// Checks all services and creates the host.
    ///
    /// # Errors
    ///
    /// Every problem at once: duplicate job names, and services that jobs need but nothing provides.
    pub fn build(self) -> Result<Host, BuildError> {
        let problems = self.hosted.iter().flat_map(|hosted| hosted.check(&self.services)).collect();
        BuildError::unless_empty(problems)?;
        let Self { services, hosted, shutdown_timeout } = self;
        Ok(Host { services, hosted, shutdown_timeout })
    }
}

/// A host whose services run.
///
/// Dropping it without stopping it stops it in the background, gracefully, for as long as the runtime lives; then singletons
/// are not disposed. Jobs that the end of the runtime interrupts are delivered again once their leases have expired.
#[derive(Debug)]
pub struct RunningHost {
    context: HostContext,
    unstarted: VecDeque<Supervised>,
    started: Vec<supervise::RunningService>,
    /// The sender for services that are yet to be started.
    failed: mpsc::UnboundedSender<HostError>,
    failures: mpsc::UnboundedReceiver<HostError>,
    failure: Option<HostError>,
    stop_on_drop: StopOnDrop,
}

/// Stops all services when the host is dropped.
#[derive(Debug)]
struct StopOnDrop {
    draining: StopSignal,
    all: CancellationToken,
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.draining.fire();
        self.all.cancel();
    }
}

impl RunningHost {
    /// Stops the services in reverse, then disposes the singletons.
    ///
    /// The host first signals all services to begin no more work. Then it stops them one after the other and waits for each. The
    /// shutdown timeout counts once for all of them. When it has passed, the host stops all services, and each has its
    /// [clean-up time](HostedService::clean_up). So the stop takes at most the shutdown timeout, the longest clean-up time, one
    /// second for each service that has to be dropped, and 10 s for the disposal of singletons.
    ///
    /// If no error is returned and [`ShutdownReport::interrupted`] names no service, this process holds no lease that it knows
    /// of, unless a queue failed until the end; such a failure is logged.
    ///
    /// # Errors
    ///
    /// The failure of a service, if one failed before.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the stop continues in the background for as long as the runtime lives.
    pub async fn stop(mut self) -> Result<ShutdownReport, HostError> {
        let began = Instant::now();
        self.context.draining().fire();
        if !self.unstarted.is_empty() {
            tracing::info!(unstarted = self.unstarted.len(), "stopping before every service has started");
        }
        let (all, context, started) = (&self.stop_on_drop.all, &self.context, &mut self.started);
        let stop_in_order = async {
            while let Some(started) = started.pop() {
                started.stop(context, began).await;
            }
        };
        let stop_all = async {
            tokio::time::sleep(context.shutdown_timeout()).await;
            all.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = stop_in_order => {}
            () = stop_all => {}
        }
        let services = self.context.services();
        let disposed = services.dispose_within(Host::DISPOSE_TIMEOUT, &TokioClock::new()).await;
        let dispose_errors = disposed.err().unwrap_or_default();
        for error in &dispose_errors {
            tracing::error!(error = %queue_core::backend::error_chain(error), "a singleton could not be disposed");
        }
        match self.failure.take().or_else(|| self.failures.try_recv().ok()) {
            Some(error) => Err(error),
            None => Ok(ShutdownReport { interrupted: self.context.cut_short(), dispose_errors }),
        }
    }

    /// Waits until a service has failed for good. Then stop the host; [`stop`](Self::stop) returns the failure.
    ///
    /// [`Host::run`] and [`Host::run_until`] do this by themselves.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again.
    pub async fn failed(&mut self) {
        if self.failure.is_none() {
            self.failure = self.failures.recv().await;
        }
    }

    /// Starts the services and waits until one could not start or has failed.
    async fn run(&mut self) {
        self.start_all().await;
        self.failed().await;
    }

    /// Starts the services, each after the previous one is ready, until one can't start or a started one fails.
    ///
    /// Dropping the future drops the service that is being started; the services before it continue.
    async fn start_all(&mut self) {
        while let Some(hosted) = self.unstarted.pop_front() {
            let name = hosted.name();
            let started = tokio::select! {
                biased;
                Some(failure) = self.failures.recv() => {
                    self.failure = Some(failure);
                    return;
                }
                started = hosted.start(&self.context, self.failed.clone()) => started,
            };
            match started {
                Ok(started) => self.started.push(started),
                Err(error) => {
                    tracing::error!(service = name, error = %error.message(), "a service could not start");
                    self.failure = Some(error);
                    return;
                }
            }
        }
    }
}

/// How a host stopped.
#[derive(Debug)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The work that did not end within the shutdown timeout and was interrupted. It was released, or runs again later.
    pub interrupted: Vec<String>,
    /// The errors of singletons that could not be disposed.
    pub dispose_errors: Vec<ServiceError>,
}
