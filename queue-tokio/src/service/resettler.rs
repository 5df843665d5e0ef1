//! The resettler: a task that repeats settlements which were not recorded at the first try.

use std::sync::Arc;
use std::time::Duration;

use queue_core::backend::error_chain;
use queue_core::{QueueError, Transition};
use tokio::sync::mpsc;

use super::backoff::Backoff;
use super::finished::Finished;
use super::lane::MAX_BATCH;
use super::shared::Shared;
use super::unsettled::Unsettled;

/// The first pause before blocked settlements are repeated. It doubles while none of them is recorded.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Repeats settlements until they are recorded, or refused for good.
pub(super) struct Resettler {
    shared: Arc<Shared>,
    incoming: mpsc::UnboundedReceiver<Unsettled>,
    pending: Vec<Finished>,
    pause: Duration,
    backoff: Backoff,
}

impl Resettler {
    pub(super) fn new(shared: Arc<Shared>, incoming: mpsc::UnboundedReceiver<Unsettled>) -> Self {
        let backoff = Backoff::new("settle", 1);
        Self { shared, incoming, pending: Vec::new(), pause: FIRST_PAUSE, backoff }
    }

    /// Runs until the loop is over, and drops what is left: those leases expire.
    pub(super) async fn run(mut self) {
        let over = self.shared.shutdown().over().clone();
        over.run_until_cancelled(async {
            while let Some(unsettled) = self.incoming.recv().await {
                self.pause = FIRST_PAUSE;
                self.add(unsettled).await;
                while !self.pending.is_empty() {
                    self.shared.client().sleep(self.pause).await;
                    self.repeat().await;
                }
            }
        })
        .await;
    }

    async fn add(&mut self, unsettled: Unsettled) {
        match unsettled {
            Unsettled::Blocked(batch) => self.pending.extend(batch),
            Unsettled::Failed(batch, error) => self.failed(batch, &error).await,
        }
    }

    /// Sends what is pending once more, with what was added meanwhile.
    async fn repeat(&mut self) {
        while let Ok(unsettled) = self.incoming.try_recv() {
            self.add(unsettled).await;
        }
        let batch: Vec<_> = self.pending.drain(..self.pending.len().min(MAX_BATCH)).collect();
        if batch.is_empty() {
            return;
        }
        match self.shared.client().settle(&batch).await {
            Ok(settled) => {
                self.backoff.worked(self.shared.client());
                let count = batch.len();
                let blocked = self.shared.complete(batch, &settled);
                let is_none_recorded = blocked.len() == count;
                self.pause = if is_none_recorded { (self.pause * 2).min(LONGEST_PAUSE) } else { FIRST_PAUSE };
                self.pending.extend(blocked);
                self.shared.shutdown().note_change();
            }
            Err(error) => self.failed(batch, &error).await,
        }
    }

    /// Keeps a batch that got no answer for later, or settles a refused one.
    async fn failed(&mut self, batch: Vec<Finished>, error: &QueueError) {
        if error.is_transient() {
            self.pause = self.backoff.failed(error, self.shared.client());
            self.keep(batch);
        } else {
            self.pause = Duration::ZERO;
            self.settle_each(batch, error).await;
            self.shared.shutdown().note_change();
        }
    }

    fn keep(&mut self, batch: impl IntoIterator<Item = Finished>) {
        let repeated = batch.into_iter().inspect(|finished| finished.job().repeat_settlement());
        self.pending.extend(repeated);
    }

    /// Settles the jobs of a refused batch one by one, so that one invalid followup delays no other job.
    async fn settle_each(&mut self, batch: Vec<Finished>, error: &QueueError) {
        let is_single = batch.len() == 1;
        for finished in batch {
            if is_single {
                self.refused(finished, error);
                continue;
            }
            match self.shared.client().settle(std::slice::from_ref(&finished)).await {
                Ok(settled) => {
                    let blocked = self.shared.complete(vec![finished], &settled);
                    self.pending.extend(blocked);
                }
                Err(error) if error.is_transient() => self.keep([finished]),
                Err(error) => self.refused(finished, &error),
            }
        }
    }

    /// Discards a job whose result or followups the queue refuses. Abandons a job that has neither: its lease will expire.
    fn refused(&mut self, finished: Finished, error: &QueueError) {
        let (service, job, error) = (self.shared.client().service(), finished.facts(), error_chain(error));
        let max_attempts = finished.job().attempt().delivery().max_attempts;
        let end = finished.settlement();
        let what = match (end.transition.result().is_some(), end.followups.is_empty()) {
            (true, true) => "its result",
            (true, false) => "its result or its followups",
            (false, false) => "its followups",
            (false, true) => {
                tracing::error!(service, job.id = %job.id, %error, "could not settle; the lease will expire");
                drop(self.shared.complete(vec![finished], &[]));
                return;
            }
        };
        let error = format!("{what} can't be stored: {error}");
        tracing::error!(
            service, job.id = %job.id, job.name = %job.name, job.queue = %job.queue, job.attempt = job.attempt,
            "discarded at attempt {} of {max_attempts}: {error}", job.attempt
        );
        self.pending.push(finished.with_transition(Transition::Discard { error }));
    }
}
