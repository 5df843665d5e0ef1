//! What a host runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use queue_core::{BoxError, Problem, QueueName, Services, StopSignal};
use tokio_util::sync::CancellationToken;

/// Something that runs for as long as the application does: the counterpart of .NET's `BackgroundService`.
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
    /// What it is called in logs and errors.
    fn name(&self) -> &str;

    /// Finds what would go wrong, before anything starts.
    fn check(&self, services: &Services) -> Vec<Problem> {
        let _: &Services = services;
        Vec::new()
    }

    /// Returns the queues that it takes jobs from: none by default.
    fn queues(&self) -> Vec<QueueName> {
        Vec::new()
    }

    /// Returns the jobs of this service that wait for ever, as their queues are not among those that the host's services
    /// serve: none by default. The host logs each as a warning when it starts.
    fn unserved(&self, served: &[QueueName]) -> Vec<Problem> {
        let _: &[QueueName] = served;
        Vec::new()
    }

    /// How long it may take to clean up beyond the shutdown timeout, before it is dropped: 30 s by default.
    /// `Duration::MAX` means that it is never dropped.
    fn clean_up(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// Gets ready. Services start in the order of their registration, each after the one before is ready.
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
    /// To return, or to panic, earlier is a failure of the service: the host stops, or it is run again, as was set.
    ///
    /// # Errors
    ///
    /// What made it impossible to go on.
    async fn run(&mut self, context: &HostContext) -> Result<(), BoxError>;
}

/// What a hosted service gets from its host.
#[derive(Clone, Debug)]
pub struct HostContext {
    services: Services,
    draining: StopSignal,
    stopping: CancellationToken,
    shutdown_timeout: Duration,
    cut_short: Arc<Mutex<Vec<String>>>,
}

impl HostContext {
    /// Makes the context of a service that runs without a host, as in a test.
    #[must_use]
    pub fn new(services: Services, stopping: CancellationToken, shutdown_timeout: Duration) -> Self {
        Self { services, draining: StopSignal::new(), stopping, shutdown_timeout, cut_short: Arc::default() }
    }

    /// The services of the host.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Fires when the host is to stop, at once for all services: from then on no work begins. Services are still stopped in
    /// reverse order, so what this service uses of others is there until it has ended.
    #[must_use]
    pub fn draining(&self) -> &StopSignal {
        &self.draining
    }

    /// Fires when this service is to stop: after the services that were started later have ended, or once the shutdown timeout
    /// has passed.
    #[must_use]
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// How long running work may take to end by itself, counted from [`draining`](Self::draining), once for all services.
    #[must_use]
    pub fn shutdown_timeout(&self) -> Duration {
        self.shutdown_timeout
    }

    /// Notes work that was cut short at the end, for the host to report.
    pub fn note_cut_short(&self, work: impl Into<String>) {
        self.cut_short.lock().unwrap_or_else(PoisonError::into_inner).push(work.into());
    }

    /// Lists the work that was cut short.
    #[must_use]
    pub fn cut_short(&self) -> Vec<String> {
        self.cut_short.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns whether the host stops, or this service alone.
    pub(crate) fn is_ending(&self) -> bool {
        self.draining.has_fired() || self.stopping.is_cancelled()
    }

    /// Waits until the host stops, or this service alone.
    pub(crate) async fn ending(&self) {
        tokio::select! {
            biased;
            () = self.draining.fired() => {}
            () = self.stopping.cancelled() => {}
        }
    }

    /// The same context with a token of its own.
    pub(crate) fn stopped_by(&self, stopping: CancellationToken) -> Self {
        Self { stopping, ..self.clone() }
    }
}
