//! The settings of a board.

use std::fmt;
use std::sync::Arc;

use axum::http::request::Parts;
use queue_core::admin::{Filter, QueueSummary, WorkerRecord};
use queue_core::{Admin, Event, Jobs, Observer, OperatorAction, QueueError, QueueErrorKind, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::access::{ADVICE, Access};
use crate::history::{Histories, Rows, Span};
use crate::privacy::Privacy;
use crate::text::time::now;

/// The function of a request that decides what it may do.
type AccessRule = Box<dyn Fn(&Parts) -> Access + Send + Sync>;

/// The rule of access.
pub(crate) enum AdmissionRule {
    /// Programs on this machine may look.
    ThisMachine,
    /// The application decides.
    Own(AccessRule),
}

/// The queue with the settings of its board, which [`Board`](crate::Board) sets before the router exists.
pub(crate) struct Site {
    pub(crate) queue: Arc<dyn Admin>,
    pub(crate) rule: AdmissionRule,
    pub(crate) privacy: Privacy,
    pub(crate) jobs: Jobs,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) stopping: CancellationToken,
    histories: Histories,
}

/// The queues and the workers at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Glance {
    pub(crate) summaries: Vec<QueueSummary>,
    /// `None` if the queue does not store which workers run.
    pub(crate) workers: Option<Vec<WorkerRecord>>,
    /// When they were read, by the queue's clock.
    pub(crate) at: Timestamp,
}

impl Site {
    /// Creates the settings of a board that hides payloads and refuses changes.
    pub(crate) fn new(queue: Arc<dyn Admin>) -> Self {
        Self {
            queue,
            rule: AdmissionRule::ThisMachine,
            privacy: Privacy::default(),
            jobs: Jobs::new(),
            observer: Arc::new(()),
            stopping: CancellationToken::new(),
            histories: Histories::default(),
        }
    }

    pub(crate) fn access(&self, request: &Parts) -> Access {
        match &self.rule {
            AdmissionRule::ThisMachine => Access::of_this_machine(request),
            AdmissionRule::Own(rule) => rule(request),
        }
    }

    /// Returns why a request is forbidden.
    pub(crate) fn forbidden(&self) -> &'static str {
        match self.rule {
            AdmissionRule::ThisMachine => ADVICE,
            AdmissionRule::Own(_) => "you may not see this board",
        }
    }

    /// Reads the queues and the workers, at a cost that does not depend on the number of jobs.
    pub(crate) async fn glance(&self) -> Result<Glance, QueueError> {
        let summaries = self.queue.summary().await?;
        let workers = match self.queue.workers().await {
            Ok(workers) => Some(workers),
            Err(error) if error.kind() == QueueErrorKind::Unsupported => None,
            Err(error) => return Err(error),
        };
        let at = summaries.first().map_or_else(now, |summary| summary.at);
        Ok(Glance { summaries, workers, at })
    }

    /// Reads the history of the queue and the name of a filter. `None` if the queue does not store one.
    pub(crate) async fn history(
        &self,
        span: Span,
        filter: &Filter,
        now: Timestamp,
    ) -> Result<Rows, QueueError> {
        self.histories.read(&*self.queue, span, filter, now).await
    }

    /// Reports a change by an operator, to the log and the observer.
    pub(crate) fn report(&self, operator: &str, action: &str, target: impl Into<String>, changed: u64) {
        let operation = OperatorAction::new(operator, action, target, changed);
        tracing::info!(operator, action, target = operation.target, changed, "an operator changed the queue");
        self.observer.observe(&Event::Operated(operation));
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Site(..)")
    }
}
