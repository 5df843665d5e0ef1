//! The requests to store jobs.

use queue_core::backend::{Encoded, Reply};
use queue_core::{QueueError, Receipt};

use crate::push_traffic::UnderWay;
use crate::storable::delay_overflow;

/// The jobs of one push, and its caller.
pub(crate) struct PushRequest {
    pub(crate) jobs: Vec<Encoded>,
    pub(crate) reply: Reply<Vec<Receipt>>,
    /// Whether the push may be stored already, so that jobs whose ids exist are skipped.
    pub(crate) is_resend: bool,
    pub(crate) under_way: UnderWay,
}

impl PushRequest {
    pub(crate) fn answer(self, answer: Result<Vec<Receipt>, QueueError>) {
        // The caller may push again at once, and is then alone.
        drop(self.under_way);
        self.reply.send(answer);
    }

    /// Returns whether another transaction can block this push: it has a unique key, or an id chosen by the caller.
    pub(crate) fn may_be_blocked(&self) -> bool {
        self.jobs.iter().any(|job| job.is_chosen || job.job.unique.is_some())
    }
}

/// Answers each request with the receipts of its jobs.
pub(crate) fn answer_pushes(batch: Vec<PushRequest>, receipts: Vec<Receipt>) {
    let mut receipts = receipts.into_iter();
    for request in batch {
        let receipts = receipts.by_ref().take(request.jobs.len()).collect();
        request.answer(Ok(receipts));
    }
}

/// Answers each request with the error.
pub(crate) fn fail_pushes(batch: Vec<PushRequest>, error: &QueueError) {
    batch.into_iter().for_each(|request| request.answer(Err(error.clone())));
}

/// Removes the request of the job at this index, whose delay leads past the end of time, and answers it.
pub(crate) fn refuse_push(batch: &mut Vec<PushRequest>, mut index: usize) {
    let at = batch.iter().position(|request| {
        let is_here = index < request.jobs.len();
        if !is_here {
            index -= request.jobs.len();
        }
        is_here
    });
    if let Some(at) = at {
        let request = batch.remove(at);
        let error = delay_overflow(&request.jobs, index);
        request.answer(Err(error));
    }
}
