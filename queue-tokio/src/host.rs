//! The host: starts services in order, waits for the end, and stops them in reverse.

mod error;
mod signals;
mod supervise;

use std::future::Future;
use std::time::Duration;

use queue_core::services::Services;
use queue_core::{BuildError, ServiceError};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use error::HostError;
pub use supervise::OnFailure;

use signals::Signals;
use supervise::{Failure, Supervised};

use crate::hosted::{HostContext, HostedService};

/// Runs hosted services for as long as the application lives: the counterpart of .NET's generic host.
///
/// ```
/// # use queue_core::{background_job, jobs, QueueExt as _, Services};
/// # use queue_tokio::{Host, QueueService, TokioQueue};
/// # #[background_job]
/// # async fn greet(name: &str) { println!("hello, {name}"); }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let queue = TokioQueue::new();
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
    pub async fn run(self) -> Result<Stopped, HostError> {
        let mut signals = Signals::listen()?;
        let mut running = tokio::select! {
            biased;
            signal = signals.next() => {
                tracing::info!(signal, "stopping before everything has started");
                return Ok(Stopped { cut_short: Vec::new(), undisposed: Vec::new() });
            }
            running = self.start() => running?,
        };
        tokio::select! {
            biased;
            signal = signals.next() => tracing::info!(signal, "stopping; a second signal aborts"),
            () = running.failed() => {}
        }
        tokio::select! {
            biased;
            _ = signals.next() => Err(HostError::Aborted),
            stopped = running.stop() => stopped,
        }
    }

    /// Starts the services and runs until the future ends or a service fails; then stops gracefully.
    ///
    /// # Errors
    ///
    /// What could not start, or which service failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the host in the background, gracefully, for as long as the runtime lives.
    pub async fn run_until(self, end: impl Future<Output = ()> + Send) -> Result<Stopped, HostError> {
        let mut running = self.start().await?;
        tokio::select! {
            biased;
            () = end => {}
            () = running.failed() => {}
        }
        running.stop().await
    }

    /// Starts the services, each after the one before is ready.
    ///
    /// # Errors
    ///
    /// Which one could not start. Those that were started already are stopped, in reverse.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops what was started.
    pub async fn start(self) -> Result<RunningHost, HostError> {
        let (failed, failures) = mpsc::unbounded_channel();
        let all = CancellationToken::new();
        let context = HostContext::new(self.services, all.clone(), self.shutdown_timeout);
        let mut running = RunningHost {
            context,
            started: Vec::new(),
            failures,
            failure: None,
            _stop_on_drop: all.drop_guard(),
        };
        for hosted in self.hosted {
            let name = hosted.name();
            match hosted.start(&running.context, failed.clone()).await {
                Ok(started) => running.started.push(started),
                Err(message) => {
                    tracing::error!(service = name, error = %message, "a service could not start");
                    running.stop().await?;
                    return Err(HostError::Start { service: name, message });
                }
            }
        }
        Ok(running)
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

    /// Sets how long running work may take to end by itself: 30 s by default.
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
    started: Vec<supervise::Started>,
    failures: mpsc::UnboundedReceiver<Failure>,
    failure: Option<Failure>,
    _stop_on_drop: DropGuard,
}

impl RunningHost {
    /// Stops the services in reverse, then disposes the singletons.
    ///
    /// # Errors
    ///
    /// Which service failed before, if one did.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future lets the stop go on in the background, for as long as the runtime lives.
    pub async fn stop(mut self) -> Result<Stopped, HostError> {
        while let Some(started) = self.started.pop() {
            started.stop(&self.context).await;
        }
        let undisposed = self.context.services().dispose().await.err().unwrap_or_default();
        for error in &undisposed {
            tracing::error!(error = %queue_core::error::chain(error), "a singleton could not be disposed");
        }
        match self.failure.take().or_else(|| self.failures.try_recv().ok()) {
            Some(Failure { service, message }) => Err(HostError::Failed { service, message }),
            None => Ok(Stopped { cut_short: self.context.cut_short(), undisposed }),
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
        if self.failure.is_some() {
            return;
        }
        self.failure = self.failures.recv().await;
        if self.failure.is_none() {
            // No service can fail any more, as none is left.
            std::future::pending::<()>().await;
        }
    }
}

/// How a host ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Stopped {
    /// The work that didn't end within the shutdown timeout and was cut short; it's handed back, or runs again later.
    pub cut_short: Vec<String>,
    /// What the singletons that could not be disposed said.
    pub undisposed: Vec<ServiceError>,
}
