//! The actions of an operator from the dashboard.

use queue_core::admin::{Cancellation, Filter};
use queue_core::{Admin, AdminExt as _, JobId, QueueError, QueueName, State};

/// An action on the selected queue or job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Pause(QueueName),
    Resume(QueueName),
    /// Runs a job again, or now.
    Retry(JobId),
    /// Runs all discarded jobs of a queue again.
    RetryAll(QueueName),
    Cancel(JobId),
}

impl Action {
    /// Returns the question to ask first, for an action that cannot be undone.
    pub(super) fn question(&self) -> Option<String> {
        match self {
            Self::Pause(_) | Self::Resume(_) | Self::Retry(_) => None,
            Self::RetryAll(queue) => Some(format!("Retry all discarded jobs of {queue}?")),
            Self::Cancel(id) => Some(format!("Cancel {id}?")),
        }
    }

    /// Returns the line that is shown while it runs.
    pub(super) fn announcement(&self) -> String {
        match self {
            Self::Pause(queue) => format!("pausing {queue} …"),
            Self::Resume(queue) => format!("resuming {queue} …"),
            Self::Retry(id) => format!("retrying {id} …"),
            Self::RetryAll(queue) => format!("retrying the discarded jobs of {queue} …"),
            Self::Cancel(id) => format!("cancelling {id} …"),
        }
    }

    /// Runs the action. Returns the line that reports it.
    pub(super) async fn run(self, store: &dyn Admin) -> Result<String, QueueError> {
        match self {
            Self::Pause(queue) => store.pause(&queue).await.map(|()| format!("paused {queue}")),
            Self::Resume(queue) => store.resume(&queue).await.map(|()| format!("resumed {queue}")),
            Self::Retry(id) => store.retry(id).await.map(|()| format!("retried {id}")),
            Self::RetryAll(queue) => {
                let discarded = Filter::all().queue(&queue).state(State::Discarded);
                let retried = store.retry_all(&discarded).await?;
                Ok(format!("retried {retried} discarded jobs of {queue}"))
            }
            Self::Cancel(id) => Ok(match store.cancel(id, "cancelled by an operator").await? {
                Cancellation::Requested => format!("requested the cancellation of {id}"),
                Cancellation::Finished => format!("{id} has finished already"),
                _ => format!("cancelled {id}"),
            }),
        }
    }
}
