//! The builder of a host.

use std::time::Duration;

use queue_core::BuildError;
use queue_core::services::Services;

use super::Host;
use super::supervise::{OnFailure, Supervised};
use crate::health::Health;
use crate::hosted::HostedService;

/// Builds a [`Host`].
#[derive(Debug)]
#[must_use = "call `build` to create the host"]
pub struct HostBuilder {
    services: Services,
    hosted: Vec<Supervised>,
    shutdown_timeout: Duration,
    drain_delay: Duration,
    is_strict: bool,
    health: Health,
}

impl HostBuilder {
    pub(super) fn new() -> Self {
        Self {
            services: Services::none(),
            hosted: Vec::new(),
            shutdown_timeout: Host::SHUTDOWN_TIMEOUT,
            drain_delay: Duration::ZERO,
            is_strict: false,
            health: Health::new(),
        }
    }

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

    /// Sets the time that running work has to end by itself, in all services together: 20 s by default. `Duration::MAX` waits
    /// for ever.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// Sets how long the services go on after the host has stopped being ready: zero by default.
    ///
    /// A load balancer routes requests here until it has noticed that [`Health::is_ready`] is `false`. Set about two of its poll
    /// intervals, such as 5 s. The shutdown timeout begins after the delay. A host that was never ready does not wait.
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.drain_delay = delay;
        self
    }

    /// Sets the host to be strict: [`build`](Self::build) refuses jobs whose default queue no service of this host serves.
    ///
    /// By default the host logs a warning for each when it starts, because a service of another program may serve the queue.
    pub fn strict(mut self) -> Self {
        self.is_strict = true;
        self
    }

    /// Returns a handle on the health of the host to be built, for a service that answers health checks, such as a web server.
    ///
    /// Until the host has started, its status is [`Starting`](crate::HealthStatus::Starting).
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Checks all services and creates the host.
    ///
    /// # Errors
    ///
    /// Every problem at once: duplicate job names, services that jobs need but nothing provides, and if the host is
    /// [`strict`](Self::strict), queues that no service serves.
    pub fn build(self) -> Result<Host, BuildError> {
        let mut problems: Vec<_> =
            self.hosted.iter().flat_map(|hosted| hosted.check(&self.services)).collect();
        if self.is_strict {
            problems.extend(Supervised::unserved(&self.hosted).into_iter().map(|(_, unserved)| unserved));
        }
        BuildError::unless_empty(problems)?;
        let Self { services, hosted, shutdown_timeout, drain_delay, is_strict: _, health } = self;
        health.set_services(hosted.iter().map(Supervised::name));
        Ok(Host { services, hosted, shutdown_timeout, drain_delay, health })
    }
}
