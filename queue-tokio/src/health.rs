//! The health of a host and its services, for the endpoints that an orchestrator or a load balancer polls.
//!
//! Each service has a [`HealthReporter`]. The host reports starts, restarts and stops to it, and the service reports what fails.
//! Each call computes the status from the reporters, so the status is never older than the last report.

mod reporter;
#[cfg(feature = "axum")]
mod router;
mod status;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

pub use reporter::HealthReporter;
pub use status::{HealthStatus, ServiceHealth};

/// The health of a host and of each of its services: a handle that [`Host::health`](crate::Host::health) and
/// [`HostBuilder::health`](crate::HostBuilder::health) return.
///
/// Cheap to clone; all clones observe the same host. It stays valid after the host has stopped.
///
/// ```
/// use queue_core::{QueueExt as _, background_job, jobs};
/// use queue_tokio::{HealthStatus, Host, MemoryQueue, QueueService};
///
/// #[background_job]
/// async fn greet(name: &str) {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), queue_core::BoxError> {
/// let queue = MemoryQueue::new();
/// let host = Host::builder().service(QueueService::new(queue.clone(), jobs![greet])).build()?;
/// let health = host.health();
/// assert_eq!(health.status(), HealthStatus::Starting);
///
/// let running = host.start().await?;
/// assert!(health.is_ready());
///
/// running.stop().await?;
/// assert_eq!(health.status(), HealthStatus::Stopping);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Health(Arc<HostHealth>);

#[derive(Debug)]
struct HostHealth {
    /// Whether all services have started.
    is_started: AtomicBool,
    /// Whether the stop has begun.
    is_stopping: AtomicBool,
    /// Set when the host is built.
    services: OnceLock<Vec<HealthReporter>>,
    /// Sent after each change.
    changes: watch::Sender<()>,
}

impl Health {
    /// Creates the health of a host that is yet to be built.
    pub(crate) fn new() -> Self {
        Self(Arc::new(HostHealth {
            is_started: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            services: OnceLock::new(),
            changes: watch::Sender::new(()),
        }))
    }

    /// Sets the services by their names, once.
    pub(crate) fn set_services(&self, names: impl IntoIterator<Item = String>) {
        let reporter = |name| HealthReporter::new(name, self.0.changes.clone());
        // It is set once, since a host is built once.
        drop(self.0.services.set(names.into_iter().map(reporter).collect()));
    }

    /// Returns the status of the whole host.
    ///
    /// The first of these that holds: `Stopping` from the start of the stop on, or once a service has failed for good, because the
    /// host stops then; `Starting` until all services have started; `Degraded` if a service is, with the reasons of all services;
    /// `Ready`.
    #[must_use]
    pub fn status(&self) -> HealthStatus {
        let services = self.services();
        let has = |status| services.iter().any(|service| service.status == status);
        if self.0.is_stopping.load(Ordering::SeqCst) || has(HealthStatus::Stopping) {
            return HealthStatus::Stopping;
        }
        if !self.has_started() || has(HealthStatus::Starting) {
            return HealthStatus::Starting;
        }
        let reasons: Vec<_> = services.iter().flat_map(ServiceHealth::reasons).collect();
        if reasons.is_empty() { HealthStatus::Ready } else { HealthStatus::Degraded { reasons } }
    }

    /// Returns the status of each service, in the order of registration. Empty before the host is built.
    #[must_use]
    pub fn services(&self) -> Vec<ServiceHealth> {
        self.reporters().iter().map(HealthReporter::health).collect()
    }

    /// Returns whether the host is `Ready` or `Degraded`. A health check of .NET succeeds in the same cases.
    ///
    /// The answer turns `false` when the stop begins, before any service stops: see
    /// [`HostBuilder::drain_delay`](crate::HostBuilder::drain_delay).
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.status().is_ready()
    }

    /// Waits until the status of the host meets the condition, and returns that status.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again.
    pub async fn wait_for(&self, mut condition: impl FnMut(&HealthStatus) -> bool) -> HealthStatus {
        // Subscribed before the check, so that a change after it is not missed.
        let mut changes = self.0.changes.subscribe();
        loop {
            let status = self.status();
            if condition(&status) {
                return status;
            }
            // The sender lives as long as `self`.
            changes.changed().await.ok();
        }
    }

    pub(crate) fn reporters(&self) -> &[HealthReporter] {
        self.0.services.get().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn has_started(&self) -> bool {
        self.0.is_started.load(Ordering::SeqCst)
    }

    /// Notes that all services have started.
    pub(crate) fn host_started(&self) {
        self.0.is_started.store(true, Ordering::SeqCst);
        self.0.changes.send_replace(());
    }

    /// Notes that the stop of the host begins.
    pub(crate) fn host_stops(&self) {
        self.0.is_stopping.store(true, Ordering::SeqCst);
        self.0.changes.send_replace(());
    }

    /// Notes that the services stop.
    pub(crate) fn services_stop(&self) {
        self.reporters().iter().for_each(HealthReporter::stops);
    }
}
