//! The settling: one task, which takes along whatever has gathered since it last went.

use queue_core::error::chain;
use queue_core::{Event, QueueError, Settled, Settlement, Transition};

use super::ended::Ended;
use super::shift::Shift;
use super::trouble::Trouble;

impl Shift {
    /// Settles attempts as they end, until the loop is over and nothing is left.
    ///
    /// Nothing is held back: a result waits only while the one before is on its way.
    pub(super) async fn settle_all(&self) {
        let mut trouble = Trouble::with("settle", 1);
        loop {
            let batch = self.ended.take();
            if batch.is_empty() {
                if self.over.is_cancelled() {
                    return;
                }
                tokio::select! {
                    biased;
                    () = self.ended.arrived.notified() => {}
                    () = self.over.cancelled() => {}
                }
                continue;
            }
            match self.settle(&batch).await {
                Ok(settled) => {
                    trouble.worked(&self.world);
                    self.let_go(batch, &settled);
                }
                Err(error) if error.is_transient() => {
                    let wait = trouble.failed(&error, &self.world);
                    self.ended.put_back(batch);
                    tokio::select! {
                        biased;
                        () = self.runtime.sleep(wait) => {}
                        // Nobody waits for these any more: their leases expire.
                        () = self.over.cancelled() => return,
                    }
                }
                Err(error) => self.settle_singly(batch, &error).await,
            }
        }
    }

    async fn settle(&self, batch: &[Ended]) -> Result<Vec<Settled>, QueueError> {
        self.queue.settle(batch.iter().map(|ended| ended.settlement.clone()).collect()).await
    }

    /// Settles a refused batch one by one, so that one wrong followup holds up no other job.
    async fn settle_singly(&self, batch: Vec<Ended>, error: &QueueError) {
        if let [ended] = batch.as_slice() {
            return self.settle_refused(ended.clone(), error).await;
        }
        for ended in batch {
            let single = std::slice::from_ref(&ended);
            match self.settle(single).await {
                Ok(settled) => self.let_go(vec![ended], &settled),
                Err(error) if error.is_transient() => self.ended.put_back(vec![ended]),
                Err(error) => self.settle_refused(ended, &error).await,
            }
        }
    }

    /// Fails a job whose settlement the queue refuses for good: its followups can't be stored.
    async fn settle_refused(&self, ended: Ended, error: &QueueError) {
        let refused = format!("its followups can't be stored: {}", chain(error));
        tracing::error!(job.id = %ended.facts.id, job.name = %ended.facts.name, error = %refused, "attempt discarded");
        let transition = Transition::Discard { error: refused };
        let ended = Ended { settlement: Settlement::new(ended.settlement.lease, transition), ..ended };
        match self.settle(std::slice::from_ref(&ended)).await {
            Ok(settled) => self.let_go(vec![ended], &settled),
            Err(error) if error.is_transient() => self.ended.put_back(vec![ended]),
            Err(error) => {
                tracing::error!(job.id = %ended.facts.id, error = %chain(&error), "could not settle; its lease will expire");
                self.let_go(vec![ended], &[]);
            }
        }
    }

    fn let_go(&self, batch: Vec<Ended>, settled: &[Settled]) {
        self.hand.release(batch.iter().map(|ended| ended.place));
        for (ended, settled) in batch.into_iter().zip(settled) {
            if *settled == Settled::Stale {
                tracing::warn!(
                    job.id = %ended.facts.id, job.name = %ended.facts.name, fence = %ended.facts.fence,
                    "the lease was lost before the attempt was settled; its result was not recorded"
                );
            }
            self.observe(|| Event::Settled {
                job: ended.facts,
                transition: ended.settlement.transition,
                settled: *settled,
            });
        }
    }
}
