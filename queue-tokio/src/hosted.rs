//! The services that a host runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::{BoxError, Problem, QueueName, Services, StopSignal};
use tokio_util::sync::CancellationToken;

use crate::health::HealthReporter;

/// A service that runs until the application ends: the counterpart of .NET's `BackgroundService`.
///
/// ```
/// use queue_tokio::{HostContext, HostedService};
///
/// struct Heartbeat;
///
/// #[async_trait::async_trait]
/// impl HostedService for Heartbeat {
///     fn name(&self) -> &str {
///         "heartbeat"
///     }
///
///     async fn run(&mut self, context: &HostContext) -> Result<(), queue_core::BoxError> {
///         let mut beats = tokio::time::interval(std::time::Duration::from_secs(60));
///         loop {
///             tokio::select! {
///                 _ = beats.tick() => println!("still here"),
///                 () = context.stopping().cancelled() => return Ok(()),
///             }
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait HostedService: Send + 'static {
    /// Returns the name of the service in logs and errors.
    fn name(&self) -> &str;

    /// Returns the problems that would occur later, before anything starts.
    fn check(&self, services: &Services) -> Vec<Problem> {
        let _: &Services = services;
        Vec::new()
    }

    /// Returns the queues from which the service takes jobs: none by default.
    fn queues(&self) -> Vec<QueueName> {
        Vec::new()
    }

    /// Returns the jobs of this service that would wait for ever because their queues are not in `served`, the queues of all
    /// services of the host: none by default. The host logs each as a warning when it starts. The `build` of a
    /// [strict](crate::HostBuilder::strict) host refuses them.
    fn unserved(&self, served: &[QueueName]) -> Vec<Problem> {
        let _: &[QueueName] = served;
        Vec::new()
    }

    /// Returns the time that the service has to clean up beyond the shutdown timeout, before it is dropped: 30 s by default.
    /// With `Duration::MAX` it is never dropped.
    fn clean_up(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// Prepares the service. Services start in the order of their registration, each after the previous one is ready.
    ///
    /// # Errors
    ///
    /// An error stops the services that were started already, in reverse, and ends the host.
    async fn start(&mut self, context: &HostContext) -> Result<(), BoxError> {
        let _: &HostContext = context;
        Ok(())
    }

    /// Runs until `context.stopping()` fires, then cleans up and returns. A service that takes up work by itself begins none
    /// once `context.draining()` has fired, and may return then.
    ///
    /// If it returns earlier, or panics, the service has failed: the host stops or runs it again, as its `OnFailure` says.
    ///
    /// # Errors
    ///
    /// The cause that keeps the service from continuing.
    async fn run(&mut self, context: &HostContext) -> Result<(), BoxError>;
}

/// The context that a host passes to its services.
#[derive(Clone, Debug)]
pub struct HostContext {
    services: Services,
    draining: StopSignal,
    stopping: CancellationToken,
    shutdown_timeout: Duration,
    cut_short: Arc<Mutex<Vec<String>>>,
    health: HealthReporter,
}

impl HostContext {
    /// Creates the context of a service that runs without a host, as in a test.
    #[must_use]
    pub fn new(services: Services, stopping: CancellationToken, shutdown_timeout: Duration) -> Self {
        Self {
            services,
            draining: StopSignal::new(),
            stopping,
            shutdown_timeout,
            cut_short: Arc::default(),
            health: HealthReporter::without_host(),
        }
    }

    /// Returns the services of the host.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Returns the signal that fires when the host stops, for all services at the same time: from then on no work begins.
    /// Services are still stopped in reverse order, so earlier services that this one uses run until it has ended.
    #[must_use]
    pub fn draining(&self) -> &StopSignal {
        &self.draining
    }

    /// Returns the token that fires when this service stops: after the services started later have ended, or once the shutdown
    /// timeout has passed.
    #[must_use]
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Returns the time that running work has to end by itself, counted from [`draining`](Self::draining), once for all services.
    #[must_use]
    pub fn shutdown_timeout(&self) -> Duration {
        self.shutdown_timeout
    }

    /// Records interrupted work, for the host to report.
    pub fn note_cut_short(&self, work: impl Into<String>) {
        self.cut_short.lock().unwrap_or_else(PoisonError::into_inner).push(work.into());
    }

    /// Returns the interrupted work.
    #[must_use]
    pub fn cut_short(&self) -> Vec<String> {
        self.cut_short.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the reporter to which the service reports what fails and what works again, for
    /// [`Host::health`](crate::Host::health).
    #[must_use]
    pub fn health(&self) -> &HealthReporter {
        &self.health
    }

    /// Returns whether the host or this service stops.
    pub(crate) fn is_ending(&self) -> bool {
        self.draining.has_fired() || self.stopping.is_cancelled()
    }

    /// Waits until the host or this service stops.
    pub(crate) async fn ending(&self) {
        tokio::select! {
            biased;
            () = self.draining.fired() => {}
            () = self.stopping.cancelled() => {}
        }
    }

    /// Returns the same context with the token and the health of one service.
    pub(crate) fn of_service(&self, stopping: CancellationToken, health: HealthReporter) -> Self {
        Self { stopping, health, ..self.clone() }
    }
}
