//! The requests to the push tasks.

use queue_core::backend::Encoded;
use queue_core::{QueueError, Receipt};
use tokio::sync::oneshot;

/// The jobs of one push, and its caller.
pub(crate) struct PushRequest {
    pub(crate) jobs: Vec<Encoded>,
    pub(crate) reply: oneshot::Sender<Result<Vec<Receipt>, QueueError>>,
}

impl PushRequest {
    pub(crate) fn answer(self, answer: Result<Vec<Receipt>, QueueError>) {
        // The caller may have been dropped.
        drop(self.reply.send(answer));
    }

    /// Returns whether another transaction can block this push: it has a unique key, or an id chosen by the caller.
    pub(crate) fn may_be_blocked(&self) -> bool {
        self.jobs.iter().any(|job| job.is_chosen || job.job.unique.is_some())
    }
}
