//! A host whose services run: it starts them in order and stops them in reverse.

use std::collections::VecDeque;
use std::time::Duration;

use queue_core::{ServiceError, StopSignal};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Host;
use super::error::HostError;
use super::supervise::{RunningService, Supervised};
use crate::clock::TokioClock;
use crate::health::{Health, HealthReporter};
use crate::hosted::HostContext;

/// The time limit for the disposal of all singletons.
const DISPOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// A host whose services run.
///
/// Dropping it without stopping it stops it in the background, gracefully, for as long as the runtime lives; then singletons
/// are not disposed. Jobs that the end of the runtime interrupts are delivered again once their leases have expired.
#[derive(Debug)]
pub struct RunningHost {
    context: HostContext,
    drain_delay: Duration,
    unstarted: VecDeque<(Supervised, HealthReporter)>,
    started: Vec<RunningService>,
    /// The sender for services that are yet to be started.
    failed: mpsc::UnboundedSender<HostError>,
    failures: mpsc::UnboundedReceiver<HostError>,
    failure: Option<HostError>,
    stop_on_drop: StopOnDrop,
}

/// Stops all services when the host is dropped.
#[derive(Debug)]
struct StopOnDrop {
    health: Health,
    draining: StopSignal,
    all: CancellationToken,
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.health.host_stops();
        self.drain();
        self.all.cancel();
    }
}

impl StopOnDrop {
    /// Signals all services to begin no more work.
    fn drain(&self) {
        self.health.services_stop();
        self.draining.fire();
    }
}

impl RunningHost {
    /// Creates a host with no service started yet.
    pub(super) fn new(host: Host) -> Self {
        let Host { services, hosted, shutdown_timeout, drain_delay, health } = host;
        let (failed, failures) = mpsc::unbounded_channel();
        let all = CancellationToken::new();
        let context = HostContext::new(services, all.clone(), shutdown_timeout);
        Self {
            unstarted: hosted.into_iter().zip(health.reporters().iter().cloned()).collect(),
            stop_on_drop: StopOnDrop { health, draining: context.draining().clone(), all },
            context,
            drain_delay,
            started: Vec::new(),
            failed,
            failures,
            failure: None,
        }
    }

    /// Returns a handle on the health of the host and its services.
    #[must_use]
    pub fn health(&self) -> Health {
        self.stop_on_drop.health.clone()
    }

    /// Stops the services in reverse, then disposes the singletons.
    ///
    /// The host first stops being ready, and waits for the [drain delay](super::HostBuilder::drain_delay). Then it
    /// signals all services to begin no more work, stops them one after the other and waits for each. The shutdown timeout counts
    /// once for all of them. When it has passed, the host stops all services, and each has its
    /// [clean-up time](crate::HostedService::clean_up). So the stop takes at most the drain delay, the shutdown timeout, the longest
    /// clean-up time, one second for each service that has to be dropped, and 10 s for the disposal of singletons.
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
    /// If the future is dropped, the stop continues in the background for as long as the runtime lives, without the drain delay.
    pub async fn stop(mut self) -> Result<ShutdownReport, HostError> {
        self.delay_drain().await;
        let began = Instant::now();
        self.stop_on_drop.drain();
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
        let disposed = services.dispose_within(DISPOSE_TIMEOUT, &TokioClock::new()).await;
        let dispose_errors = disposed.err().unwrap_or_default();
        for error in &dispose_errors {
            tracing::error!(error = %queue_core::backend::error_chain(error), "a singleton could not be disposed");
        }
        match self.failure.take().or_else(|| self.failures.try_recv().ok()) {
            Some(error) => Err(error),
            None => Ok(ShutdownReport { interrupted: self.context.cut_short(), dispose_errors }),
        }
    }

    /// Ends the readiness, then waits for the drain delay, so that load balancers notice. A host that was never ready does not wait,
    /// because no load balancer routes requests to it.
    async fn delay_drain(&mut self) {
        let was_ready = self.stop_on_drop.health.has_started();
        self.stop_on_drop.health.host_stops();
        if was_ready && !self.drain_delay.is_zero() {
            tracing::info!(delay = ?self.drain_delay, "not ready any more; services stop after the drain delay");
            tokio::time::sleep(self.drain_delay).await;
        }
    }

    /// Waits until a service has failed for good. Then stop the host; [`stop`](Self::stop) returns the failure.
    ///
    /// [`Host::run`](super::Host::run) and [`Host::run_until`](super::Host::run_until) do this by themselves.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again.
    pub async fn failed(&mut self) {
        if self.failure.is_none() {
            self.failure = self.failures.recv().await;
        }
    }

    /// Starts the services. If one can't start or fails meanwhile, stops those that were started.
    pub(super) async fn start(mut self) -> Result<Self, HostError> {
        self.start_all().await;
        match self.failure {
            // `stop` returns the failure.
            Some(_) => Err(self.stop().await.err().unwrap_or(HostError::Aborted)),
            None => Ok(self),
        }
    }

    /// Starts the services and waits until one could not start or has failed.
    pub(super) async fn run(&mut self) {
        self.start_all().await;
        self.failed().await;
    }

    /// Starts the services, each after the previous one is ready, until one can't start or a started one fails.
    ///
    /// Dropping the future drops the service that is being started; the services before it continue.
    async fn start_all(&mut self) {
        while let Some((hosted, health)) = self.unstarted.pop_front() {
            let name = hosted.name();
            let started = tokio::select! {
                biased;
                Some(failure) = self.failures.recv() => {
                    self.failure = Some(failure);
                    return;
                }
                started = hosted.start(&self.context, health, self.failed.clone()) => started,
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
        self.stop_on_drop.health.host_started();
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
