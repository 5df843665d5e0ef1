//! The service that performs ticks.

use std::convert::Infallible;
use std::time::Duration;

use async_trait::async_trait;
use queue_core::backend::{doubled, error_chain};
use queue_core::{BoxError, Problem, QueueName, Services};
use queue_tokio::{HostContext, HostedService};

use super::Schedules;

/// The first and the longest pause before schedules that could not be stored are stored again.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[async_trait]
impl HostedService for Schedules {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self, services: &Services) -> Vec<Problem> {
        let mut problems: Vec<_> = self.problems().into_iter().map(Problem::new).collect();
        problems.extend(self.ticking().check(services));
        problems
    }

    fn queues(&self) -> Vec<QueueName> {
        self.tick_queues()
    }

    fn unserved(&self, served: &[QueueName]) -> Vec<Problem> {
        let jobs =
            self.declared.iter().filter_map(|declared| Some((&declared.name, declared.job.as_ref().ok()?)));
        jobs.filter(|(_, job)| !served.contains(&job.queue))
            .map(|(name, job)| {
                Problem::new(format!(
                    "the schedule `{name}` enqueues `{}` into the queue `{}`, which no service of this host serves",
                    job.name, job.queue
                ))
            })
            .collect()
    }

    fn clean_up(&self) -> Duration {
        self.ticking().clean_up()
    }

    async fn start(&mut self, _: &HostContext) -> Result<(), BoxError> {
        match self.apply().await {
            Err(error) if error.is_transient() => {
                tracing::warn!(
                    service = &*self.name,
                    error = error_chain(&error),
                    "could not store the schedules, retrying"
                );
                self.is_late = true;
                Ok(())
            }
            applied => Ok(applied?),
        }
    }

    async fn run(&mut self, context: &HostContext) -> Result<(), BoxError> {
        let mut ticking = self.ticking();
        tokio::select! {
            biased;
            ended = ticking.run(context) => ended,
            failed = self.apply_late() => match failed? {},
        }
    }
}

impl Schedules {
    /// Stores the schedules if the start could not, and then waits for ever.
    async fn apply_late(&self) -> Result<Infallible, BoxError> {
        let mut failures = 0;
        let mut is_late = self.is_late;
        while is_late {
            tokio::time::sleep(doubled(FIRST_PAUSE, failures).min(LONGEST_PAUSE)).await;
            match self.apply().await {
                Ok(()) => is_late = false,
                Err(error) if error.is_transient() => failures = failures.saturating_add(1),
                Err(error) => return Err(error.into()),
            }
        }
        std::future::pending().await
    }
}
