//! A job of production, run again.

use queue_core::{Clock as _, Demand, JobRecord, NewJob, Queue as _, QueueError, Settlement, Transition};

use super::{KitError, TestKit};
use crate::report::AttemptReport;

impl TestKit {
    /// Runs a job of production once more: its last attempt, with what it carried, under its identity, and after the
    /// attempts that failed before it. The text is what [`JobRecord::export`] wrote.
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
    /// assert!(attempt.outcome.kind().is_success(), "{attempt}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The text is no exported job, or the queue refuses it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the job in the kit, and its attempt unfinished.
    pub async fn replay(&self, exported: &str) -> Result<AttemptReport, KitError> {
        let refused = |source| KitError::Queue { operation: "replay", source };
        let record = JobRecord::import(exported).map_err(refused)?;
        self.push_as_it_was(&record).await.map_err(refused)?;
        self.step().await?.ok_or_else(|| {
            refused(QueueError::conflict("the job isn't the next to run: replay it in a kit of its own"))
        })
    }

    /// Pushes the job, and has all attempts but the last fail as they did.
    async fn push_as_it_was(&self, record: &JobRecord) -> Result<(), QueueError> {
        let mut job = NewJob::new(record.name.clone(), record.body.clone());
        job.id = Some(record.id);
        job.queue = record.queue.clone();
        job.priority = record.priority;
        job.max_attempts = record.max_attempts.max(record.attempt);
        job.meta = record.meta.clone();
        self.queue.push(vec![job]).await?;
        for attempt in 1..record.attempt {
            let demand = Demand::new(record.queue.clone(), 1);
            let error = record.errors.iter().find(|error| error.attempt == attempt);
            let error = error.map_or("what went wrong is not known any more", |error| &error.message);
            for delivery in self.queue.claim(&demand).await? {
                let retry = Transition::Retry { at: self.clock.now(), error: error.to_owned() };
                self.queue.settle(vec![Settlement::new(delivery.lease, retry)]).await?;
            }
        }
        Ok(())
    }
}
