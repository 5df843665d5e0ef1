//! A supervised service: starts it, restarts it if its policy says so, and stops it.

use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use queue_core::backend::{doubled, panic_message};
use queue_core::{BoxError, Problem, Services};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::error::HostError;
use crate::health::HealthReporter;
use crate::hosted::{HostContext, HostedService};

/// The reaction to a service that ends, fails or panics while it should run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFailure {
    /// The host stops and returns the failure.
    StopHost,
    /// The service runs again after a pause that doubles from `first` to `longest`.
    ///
    /// After a run of at least `longest`, the next pause is `first` again.
    /// A pause of `Duration::MAX` means that the service does not run again.
    Restart {
        /// The first pause.
        first: Duration,
        /// The longest pause.
        longest: Duration,
    },
}

/// A service with its restart policy.
pub(super) struct Supervised {
    service: Box<dyn HostedService>,
    on_failure: OnFailure,
}

/// A service that runs.
#[derive(Debug)]
pub(super) struct RunningService {
    name: String,
    stopping: CancellationToken,
    clean_up: Duration,
    task: JoinHandle<()>,
}

impl Supervised {
    pub(super) fn new(service: impl HostedService, on_failure: OnFailure) -> Self {
        Self { service: Box::new(service), on_failure }
    }

    pub(super) fn name(&self) -> String {
        self.service.name().to_owned()
    }

    pub(super) fn check(&self, services: &Services) -> Vec<Problem> {
        self.service.check(services)
    }

    /// Returns the jobs of all services whose queues none of them serves, each with the name of its service.
    pub(super) fn unserved(all: &[Self]) -> Vec<(String, Problem)> {
        let served: Vec<_> = all.iter().flat_map(|hosted| hosted.service.queues()).collect();
        let unserved = |hosted: &Self| {
            let problems = hosted.service.unserved(&served).into_iter();
            problems.map(|problem| (hosted.name(), problem)).collect::<Vec<_>>()
        };
        all.iter().flat_map(unserved).collect()
    }

    /// Prepares the service and starts a task that runs it.
    pub(super) async fn start(
        mut self,
        context: &HostContext,
        health: HealthReporter,
        failed: UnboundedSender<HostError>,
    ) -> Result<RunningService, HostError> {
        let name = self.name();
        let stopping = context.stopping().child_token();
        let context = context.of_service(stopping.clone(), health);
        let ready = AssertUnwindSafe(self.service.start(&context)).catch_unwind().await;
        ready
            .unwrap_or_else(|panic| Err(panic_message(panic.as_ref()).into()))
            .map_err(|source| HostError::Start { service: name.clone(), source })?;
        let clean_up = self.service.clean_up();
        context.health().runs();
        let task = tokio::spawn(async move { self.run(&context, &failed).await });
        Ok(RunningService { name, stopping, clean_up, task })
    }

    async fn run(mut self, context: &HostContext, failed: &UnboundedSender<HostError>) {
        let mut failures: u32 = 0;
        loop {
            let began = Instant::now();
            let ended = AssertUnwindSafe(self.service.run(context)).catch_unwind().await;
            let service = self.name();
            let failure = failure(service.clone(), ended);
            if context.is_ending() {
                if !matches!(failure, HostError::Ended { .. }) {
                    tracing::error!(service, "while stopping, the service {}", failure.message());
                }
                return;
            }
            tracing::error!(service, "the service {}", failure.message());
            let OnFailure::Restart { first, longest } = self.on_failure else {
                context.health().stops();
                // The receiver is closed once the host stops; the failure is logged above.
                drop(failed.send(failure));
                return;
            };
            if began.elapsed() >= longest {
                failures = 0;
            }
            let wait = doubled(first, failures).min(longest);
            failures = failures.saturating_add(1);
            context
                .health()
                .pauses(format!("{}; it runs again after a pause of {wait:?}", failure.message()));
            tokio::select! {
                biased;
                () = context.ending() => return,
                () = tokio::time::sleep(wait) => tracing::info!(service, failures, "running the service again"),
            }
            context.health().runs();
        }
    }
}

impl RunningService {
    /// Stops the service and waits for its task, at most until the shutdown timeout, counted from `began`, and the service's
    /// clean-up time have passed.
    pub(super) async fn stop(mut self, context: &HostContext, began: Instant) {
        self.stopping.cancel();
        let limit = context.shutdown_timeout().saturating_add(self.clean_up);
        let limit = limit.saturating_sub(began.elapsed());
        if tokio::time::timeout(limit, &mut self.task).await.is_err() {
            tracing::error!(service = self.name, "the service did not stop in time and is dropped");
            context.note_cut_short(format!("service `{}`", self.name));
            self.task.abort();
            // The task ends at its next await point; a task that never reaches one is left behind.
            drop(tokio::time::timeout(Duration::from_secs(1), self.task).await);
        }
    }
}

impl fmt::Debug for Supervised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervised")
            .field("name", &self.name())
            .field("on_failure", &self.on_failure)
            .finish()
    }
}

/// Returns the error of a service that ended so.
fn failure(service: String, ended: Result<Result<(), BoxError>, Box<dyn Any + Send>>) -> HostError {
    match ended {
        Ok(Ok(())) => HostError::Ended { service },
        Ok(Err(source)) => HostError::Failed { service, source },
        Err(panic) => HostError::Panicked { service, message: panic_message(panic.as_ref()) },
    }
}
