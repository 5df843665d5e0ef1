//! The host: starts services in order, waits for the end, and stops them in reverse.

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
use supervise::{ServiceFailure, Supervised};

use crate::clock::TokioClock;
use crate::hosted::{HostContext, HostedService};

/// Runs hosted services for as long as the application lives: the counterpart of .NET's generic host.
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
    /// How long running work may take to end by itself where nothing else is said.
    pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

    /// How long the disposal of all singletons may take at the end.
    const DISPOSE_TIMEOUT: Duration = Duration::from_secs(10);

    /// Starts to put a host together.
    pub fn builder() -> HostBuilder {
        HostBuilder {
            services: Services::none(),
            hosted: Vec::new(),
            shutdown_timeout: Self::SHUTDOWN_TIMEOUT,
        }
    }

    /// Starts the services and runs until Ctrl-C, SIGTERM, or the failure of a service; then stops gracefully.
    ///
    /// A second signal aborts: this returns at once, and what still runs ends with the program. A blocking job that hangs
    /// holds up the end of tokio's runtime, and so of the program, unless that is shut down in the background.
    ///
    /// # Errors
    ///
    /// What could not start, which service failed, or that a second signal came.
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

    /// Starts the services and runs until the future ends or a service fails; then stops gracefully.
    ///
    /// If the future ends while services still start, the start ends too, and what was started is stopped.
    ///
    /// # Errors
    ///
    /// What could not start, or which service failed.
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

    /// Starts the services, each after the one before is ready.
    ///
    /// # Errors
    ///
    /// Which one could not start, or failed meanwhile. Those that were started already are stopped, in reverse.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops what was started.
    pub async fn start(self) -> Result<RunningHost, HostError> {
        let mut running = self.begin();
        running.start_all().await;
        match running.failure {
            // The stop returns the failure.
            Some(_) => Err(running.stop().await.err().unwrap_or(HostError::Aborted)),
            None => Ok(running),
        }
    }

    /// Begins with no service started.
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

/// Puts a [`Host`] together.
#[derive(Debug)]
#[must_use = "a host is made by `build`"]
pub struct HostBuilder {
    services: Services,
    hosted: Vec<Supervised>,
    shutdown_timeout: Duration,
}

impl HostBuilder {
    /// Sets what jobs may inject.
    pub fn services(mut self, services: Services) -> Self {
        self.services = services;
        self
    }

    /// Adds a service; if it ends or panics while it should run, the host stops.
    pub fn service(self, service: impl HostedService) -> Self {
        self.service_with(service, OnFailure::StopHost)
    }

    /// Adds a service and says what happens if it ends or panics while it should run.
    pub fn service_with(mut self, service: impl HostedService, on_failure: OnFailure) -> Self {
        self.hosted.push(Supervised::new(service, on_failure));
        self
    }

    /// Sets how long running work may take to end by itself, in all services together: 30 s by default. `Duration::MAX` waits
    /// for ever.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// Checks everything.
    ///
    /// # Errors
    ///
    /// Every problem at once: job names taken twice, services that jobs need and nothing provides.
    pub fn build(self) -> Result<Host, BuildError> {
        let problems = self.hosted.iter().flat_map(|hosted| hosted.check(&self.services)).collect();
        BuildError::unless_empty(problems)?;
        let Self { services, hosted, shutdown_timeout } = self;
        Ok(Host { services, hosted, shutdown_timeout })
    }
}

/// A host whose services run.
///
/// Dropping it without stopping it stops it in the background, gracefully, for as long as the runtime lives; singletons are
/// not disposed then. What the runtime's end cuts off is delivered again once its lease has expired.
#[derive(Debug)]
pub struct RunningHost {
    context: HostContext,
    unstarted: VecDeque<Supervised>,
    started: Vec<supervise::RunningService>,
    /// For services that are to be started.
    failed: mpsc::UnboundedSender<ServiceFailure>,
    failures: mpsc::UnboundedReceiver<ServiceFailure>,
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
    /// The host first signals all services to begin no more work. Then it stops one after the other and waits for each. The
    /// shutdown timeout counts once for all of them; when it has passed, the host stops all, and each has its
    /// [clean-up](HostedService::clean_up). So the stop takes no longer than the shutdown timeout, the longest clean-up, one
    /// second for each service that has to be dropped, and 10 s for the disposal of singletons.
    ///
    /// If no error is returned and [`ShutdownReport::interrupted`] names no service, this process holds no lease any more that it knows
    /// of, unless a queue failed until the end; that is logged.
    ///
    /// # Errors
    ///
    /// Which service failed before, if one did.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future lets the stop go on in the background, for as long as the runtime lives.
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
            tracing::error!(error = %queue_core::error::chain(error), "a singleton could not be disposed");
        }
        match self.failure.take().or_else(|| self.failures.try_recv().ok().map(HostError::from)) {
            Some(error) => Err(error),
            None => Ok(ShutdownReport { interrupted: self.context.cut_short(), dispose_errors }),
        }
    }

    /// Waits until a service has failed for good. Stop the host then; [`stop`](Self::stop) says which it was.
    ///
    /// [`Host::run`] and [`Host::run_until`] do this by themselves.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again.
    pub async fn failed(&mut self) {
        if self.failure.is_none() {
            self.failure = self.failures.recv().await.map(HostError::from);
        }
    }

    /// Starts the services and waits until one could not start or has failed.
    async fn run(&mut self) {
        self.start_all().await;
        self.failed().await;
    }

    /// Starts the services, each after the one before is ready, until one can't start or one that was started fails.
    ///
    /// Dropping the future drops the service that is being started; those before it go on.
    async fn start_all(&mut self) {
        while let Some(hosted) = self.unstarted.pop_front() {
            let name = hosted.name();
            let started = tokio::select! {
                biased;
                Some(failure) = self.failures.recv() => {
                    self.failure = Some(failure.into());
                    return;
                }
                started = hosted.start(&self.context, self.failed.clone()) => started,
            };
            match started {
                Ok(started) => self.started.push(started),
                Err(message) => {
                    tracing::error!(service = name, error = %message, "a service could not start");
                    self.failure = Some(HostError::Start { service: name, message });
                    return;
                }
            }
        }
    }
}

/// How a host ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The work that didn't end within the shutdown timeout and was cut short; it's handed back, or runs again later.
    pub interrupted: Vec<String>,
    /// What the singletons that could not be disposed said.
    pub dispose_errors: Vec<ServiceError>,
}
