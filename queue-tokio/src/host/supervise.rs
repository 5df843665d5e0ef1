//! One service under supervision: started, run again where that was asked for, and stopped.

use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use queue_core::error::{chain, panic_message};
use queue_core::retry::doubled;
use queue_core::{BoxError, Problem, QueueName, Services};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::hosted::{HostContext, HostedService};

/// What happens when a service ends, fails or panics while it should run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFailure {
    /// The host stops, and says why.
    StopHost,
    /// The service is run again after a pause that doubles from `first` to `longest`.
    ///
    /// Once a run has lasted for at least `longest`, the next pause is `first` again.
    /// A pause of `Duration::MAX` means that the service is not run again.
    Restart {
        /// How long to wait the first time.
        first: Duration,
        /// How long to wait at most.
        longest: Duration,
    },
}

/// A service, and what happens when it fails.
pub(super) struct Supervised {
    service: Box<dyn HostedService>,
    on_failure: OnFailure,
}

/// A service that has failed for good.
#[derive(Debug)]
pub(super) struct ServiceFailure {
    pub(super) service: String,
    pub(super) message: String,
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

    pub(super) fn queues(&self) -> Vec<QueueName> {
        self.service.queues()
    }

    pub(super) fn unserved(&self, served: &[QueueName]) -> Vec<Problem> {
        self.service.unserved(served)
    }

    /// Gets the service ready and starts to run it.
    pub(super) async fn start(
        mut self,
        context: &HostContext,
        failed: UnboundedSender<ServiceFailure>,
    ) -> Result<RunningService, String> {
        let name = self.name();
        let stopping = context.stopping().child_token();
        let context = context.stopped_by(stopping.clone());
        let ready = AssertUnwindSafe(self.service.start(&context)).catch_unwind().await;
        ready
            .unwrap_or_else(|panic| Err(panic_message(panic.as_ref()).into()))
            .map_err(|error| chain(error.as_ref()))?;
        let clean_up = self.service.clean_up();
        let task = tokio::spawn(async move { self.run(&context, &failed).await });
        Ok(RunningService { name, stopping, clean_up, task })
    }

    async fn run(mut self, context: &HostContext, failed: &UnboundedSender<ServiceFailure>) {
        let mut failures: u32 = 0;
        loop {
            let began = Instant::now();
            let ended = AssertUnwindSafe(self.service.run(context)).catch_unwind().await;
            let message = exit_message(ended);
            let service = self.name();
            if context.is_ending() {
                if let Some(message) = message {
                    tracing::error!(service, "while stopping, the service {message}");
                }
                return;
            }
            let message = message.unwrap_or_else(|| "ended while it should have run".to_owned());
            tracing::error!(service, "the service {message}");
            let OnFailure::Restart { first, longest } = self.on_failure else {
                // Nobody listens once the host stops, and then nobody needs to.
                drop(failed.send(ServiceFailure { service, message }));
                return;
            };
            if began.elapsed() >= longest {
                failures = 0;
            }
            let wait = doubled(first, failures).min(longest);
            failures = failures.saturating_add(1);
            tokio::select! {
                biased;
                () = context.ending() => return,
                () = tokio::time::sleep(wait) => tracing::info!(service, failures, "running the service again"),
            }
        }
    }
}

impl RunningService {
    /// Stops the service and waits for its end, until the shutdown timeout of a stop that began then and its own clean-up
    /// have passed.
    pub(super) async fn stop(mut self, context: &HostContext, began: Instant) {
        self.stopping.cancel();
        let limit = context.shutdown_timeout().saturating_add(self.clean_up);
        let limit = limit.saturating_sub(began.elapsed());
        if tokio::time::timeout(limit, &mut self.task).await.is_err() {
            tracing::error!(service = self.name, "the service did not stop in time and is dropped");
            context.note_cut_short(format!("service `{}`", self.name));
            self.task.abort();
            // It ends at its next wait; one that never waits is left behind.
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

/// Says how a service ended; `None` if well.
fn exit_message(ended: Result<Result<(), BoxError>, Box<dyn Any + Send>>) -> Option<String> {
    match ended {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("failed: {}", chain(error.as_ref()))),
        Err(panic) => Some(panic_message(panic.as_ref())),
    }
}

impl From<ServiceFailure> for super::HostError {
    fn from(ServiceFailure { service, message }: ServiceFailure) -> Self {
        Self::Failed { service, message }
    }
}
