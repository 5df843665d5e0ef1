//! The reports on the health of one service.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::status::{HealthStatus, ServiceHealth};

/// Receives a service's reports on what fails and what works again. [`HostContext::health`](crate::HostContext::health) returns it.
///
/// ```
/// # use queue_tokio::HostContext;
/// # fn poll_server() -> Result<(), std::io::Error> { Ok(()) }
/// # fn check(context: &HostContext) {
/// match poll_server() {
///     Ok(()) => context.health().recovered("smtp"),
///     Err(error) => context.health().degraded("smtp", format!("the mail server does not answer: {error}")),
/// }
/// # }
/// ```
///
/// A [`QueueService`](crate::QueueService) reports `claim`, `renew` and `settle`. Cheap to clone.
#[derive(Clone)]
pub struct HealthReporter(Arc<Reported>);

struct Reported {
    name: String,
    state: Mutex<ReportedState>,
    /// Whether a part is degraded. While none is, `recovered` takes no lock.
    is_degraded: AtomicBool,
    changes: watch::Sender<()>,
}

#[derive(Debug)]
struct ReportedState {
    phase: ServicePhase,
    /// The reason of each degraded part.
    degraded: BTreeMap<&'static str, String>,
}

#[derive(Debug)]
enum ServicePhase {
    Starting,
    Running,
    /// The service failed, and runs again after a pause.
    Pausing(String),
    /// The service stops, has stopped, or has failed for good. This is the last phase.
    Stopping,
}

impl HealthReporter {
    pub(super) fn new(name: String, changes: watch::Sender<()>) -> Self {
        let state = ReportedState { phase: ServicePhase::Starting, degraded: BTreeMap::new() };
        let is_degraded = AtomicBool::new(false);
        Self(Arc::new(Reported { name, state: Mutex::new(state), is_degraded, changes }))
    }

    /// Creates the reporter of a service that runs without a host.
    pub(crate) fn without_host() -> Self {
        Self::new(String::new(), watch::Sender::new(()))
    }

    /// Reports that a part of the service fails, and why. The report counts until the part has [`recovered`](Self::recovered), or
    /// until the service itself fails and the host restarts it.
    pub fn degraded(&self, part: &'static str, reason: impl Into<String>) {
        let reason = reason.into();
        let mut state = self.lock();
        state.degraded.insert(part, reason);
        self.0.is_degraded.store(true, Ordering::SeqCst);
        drop(state);
        self.0.changes.send_replace(());
    }

    /// Reports that a part of the service works. Other parts that fail stay degraded. While nothing fails, this costs one load.
    pub fn recovered(&self, part: &str) {
        if !self.0.is_degraded.load(Ordering::SeqCst) {
            return;
        }
        let mut state = self.lock();
        state.degraded.remove(part);
        self.0.is_degraded.store(!state.degraded.is_empty(), Ordering::SeqCst);
        drop(state);
        self.0.changes.send_replace(());
    }

    /// Notes that the service has started, or runs again.
    pub(crate) fn runs(&self) {
        self.enter(ServicePhase::Running);
    }

    /// Notes that the service has failed, and that it runs again later. What failed in that run no longer counts.
    pub(crate) fn pauses(&self, reason: String) {
        // First, so that the service is at no moment both running and without a failure.
        self.enter(ServicePhase::Pausing(reason));
        let mut state = self.lock();
        state.degraded.clear();
        self.0.is_degraded.store(false, Ordering::SeqCst);
    }

    /// Notes that the service stops, or has failed for good.
    pub(crate) fn stops(&self) {
        self.enter(ServicePhase::Stopping);
    }

    /// Returns the status of the service.
    pub(super) fn health(&self) -> ServiceHealth {
        let state = self.lock();
        let status = match &state.phase {
            ServicePhase::Starting => HealthStatus::Starting,
            ServicePhase::Stopping => HealthStatus::Stopping,
            ServicePhase::Pausing(reason) => HealthStatus::Degraded { reasons: vec![reason.clone()] },
            ServicePhase::Running if state.degraded.is_empty() => HealthStatus::Ready,
            ServicePhase::Running => {
                HealthStatus::Degraded { reasons: state.degraded.values().cloned().collect() }
            }
        };
        ServiceHealth::new(&self.0.name, status)
    }

    fn enter(&self, phase: ServicePhase) {
        let mut state = self.lock();
        if !matches!(state.phase, ServicePhase::Stopping) {
            state.phase = phase;
        }
        drop(state);
        self.0.changes.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, ReportedState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for HealthReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthReporter")
            .field("name", &self.0.name)
            .field("state", &*self.lock())
            .finish_non_exhaustive()
    }
}
