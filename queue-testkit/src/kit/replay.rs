//! Replays a job of production.

use queue_core::{Clock as _, Demand, JobRecord, NewJob, Queue as _, QueueError, Settlement, Transition};

use super::{KitError, TestKit};
use crate::report::AttemptReport;

impl TestKit {
    /// Replays a job of production: its last attempt, with its body and its id, after the failed attempts that came before. The
    /// text is the output of [`JobRecord::export`].
    ///
    /// ```no_run
    /// # use queue_core::{background_job, jobs};
    /// # use queue_testkit::TestKit;
    /// # #[background_job]
    /// # async fn send_welcome(user_id: u64) {}
    /// # async fn example() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let kit = TestKit::new(jobs![send_welcome]).build()?;
    ///
    /// let attempt = kit.replay(&std::fs::read_to_string("tests/failed.json")?).await?;
    ///
    /// assert!(attempt.outcome.is_success(), "{attempt}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the text is not an exported job, or the queue refuses it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the job in the kit with an unfinished attempt.
    pub async fn replay(&self, exported: &str) -> Result<AttemptReport, KitError> {
        let refused = |source| KitError::Queue { operation: "replay", source };
        let record = JobRecord::import(exported).map_err(refused)?;
        self.push_as_it_was(&record).await.map_err(refused)?;
        self.step().await?.ok_or_else(|| {
            refused(QueueError::conflict("the job isn't the next to run: replay it in a kit of its own"))
        })
    }

    /// Pushes the job, and fails all attempts but the last with their recorded errors.
    async fn push_as_it_was(&self, record: &JobRecord) -> Result<(), QueueError> {
        let mut job = NewJob::new(record.name.clone(), record.body.clone());
        job.id = Some(record.id);
        job.queue = record.queue.clone();
        job.partition = record.partition.clone();
        job.priority = record.priority;
        job.max_attempts = record.max_attempts.max(record.attempt);
        job.meta = record.meta.clone();
        job.on_discard.clone_from(&record.on_discard);
        self.queue.push(vec![job]).await?;
        for attempt in 1..record.attempt {
            let demand = Demand::new(record.queue.clone(), 1);
            let error = record.errors.iter().find(|error| error.attempt == attempt);
            let error = error.map_or("the error is not recorded", |error| &error.message);
            for delivery in self.queue.claim(&demand).await? {
                let retry = Transition::Retry { at: self.clock.now(), error: error.to_owned() };
                self.queue.settle(vec![Settlement::new(delivery.lease, retry)]).await?;
            }
        }
        Ok(())
    }
}
