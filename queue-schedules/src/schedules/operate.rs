//! Changes to schedules at run time.

use std::time::Duration;

use queue_core::{
    Admin as _, IntoJob, JobRecord, NewJob, Queue as _, QueueError, QueueErrorKind, Receipt, Recurrence,
    Timestamp, Unique,
};

use crate::job_template::JobTemplate;
use crate::stored::StoredSchedule;

use super::{Schedules, check_group, check_name};

/// How often the tick of a schedule is read again, if it was performed in between.
const READS: usize = 10;

/// How long a removed schedule keeps its key: until no tick of it can be performed any more.
const KEY_KEPT: Duration = Schedules::LEASE.saturating_mul(3);

/// The most ticks of one backfill.
const MOST_BACKFILLED: usize = 10_000;

impl Schedules {
    /// Stores a schedule at run time: a new one, which begins now, or a change of one, which continues after its last tick.
    ///
    /// No start of a program retires it, however often the program is deployed. A paused schedule stays paused.
    ///
    /// # Errors
    ///
    /// `Invalid` for a recurrence or a name that is wrong, and for a job with an id or a time. `Conflict` if the program declares a
    /// schedule of that name. Those of [`Queue::push`](queue_core::Queue::push).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the schedule may or may not be stored.
    pub async fn put(
        &self,
        name: impl AsRef<str>,
        recurrence: impl Into<Recurrence>,
        job: impl IntoJob,
    ) -> Result<(), QueueError> {
        let new = self.stored(name.as_ref(), recurrence.into(), &job.into_job())?;
        match self.holder(new.tick()?).await? {
            None => return Ok(()),
            Some((_, earlier)) if new.is_defined_as(&earlier) => return Ok(()),
            Some(_) => {}
        }
        let turn = self.take_turn(&[name.as_ref()]).await?;
        let put = self.put_again(new).await;
        self.end_turn(turn).await;
        put
    }

    /// Changes a schedule, whose turn the caller has.
    async fn put_again(&self, new: StoredSchedule) -> Result<(), QueueError> {
        let Some((tick, earlier)) = self.holder(new.tick()?).await? else { return Ok(()) };
        if earlier.is_declared && !earlier.is_removed {
            let name = new.name;
            return Err(QueueError::conflict(format!(
                "the program declares the schedule `{name}`: change it there"
            )));
        }
        if new.is_defined_as(&earlier) {
            return Ok(());
        }
        self.push_one(new.paused_as(&earlier).replacing(&earlier, &tick)?).await.map(drop)
    }

    /// Removes a schedule. A job that it has enqueued is left.
    ///
    /// # Errors
    ///
    /// `NotFound`. Those of [`Queue::push`](queue_core::Queue::push).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the schedule may or may not be removed.
    pub async fn remove(&self, name: impl AsRef<str>) -> Result<(), QueueError> {
        let turn = self.take_turn(&[name.as_ref()]).await?;
        let removed = self.remove_in_turn(name.as_ref()).await;
        self.end_turn(turn).await;
        removed
    }

    /// Pauses a schedule: it enqueues nothing until it is resumed, over restarts and deploys.
    ///
    /// A tick that is being performed may still enqueue its job.
    ///
    /// # Errors
    ///
    /// Those of [`remove`](Self::remove).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the schedule may or may not be paused.
    pub async fn pause(&self, name: impl AsRef<str>) -> Result<(), QueueError> {
        let turn = self.take_turn(&[name.as_ref()]).await?;
        let paused = self.pause_in_turn(name.as_ref()).await;
        self.end_turn(turn).await;
        paused
    }

    /// Resumes a paused schedule. [`CatchUp`](queue_core::CatchUp) decides on the ticks of the pause.
    ///
    /// # Errors
    ///
    /// Those of [`remove`](Self::remove).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the schedule may or may not be resumed.
    pub async fn resume(&self, name: impl AsRef<str>) -> Result<(), QueueError> {
        let turn = self.take_turn(&[name.as_ref()]).await?;
        let resumed = self.resume_in_turn(name.as_ref()).await;
        self.end_turn(turn).await;
        resumed
    }

    /// Enqueues the job of a schedule now, also if the schedule is paused. It changes no tick.
    ///
    /// If the schedule's [`Overlap`](queue_core::Overlap) forbids another job, nothing is stored, and the receipt names the job that
    /// is unfinished.
    ///
    /// # Errors
    ///
    /// Those of [`remove`](Self::remove).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the job may or may not be stored.
    pub async fn trigger(&self, name: impl AsRef<str>) -> Result<Receipt, QueueError> {
        let (_, stored) = self.find(name.as_ref()).await?;
        self.push_one(stored.job_now()).await
    }

    /// Enqueues the jobs of the ticks from `from` up to and without `to`, and returns the number of ticks.
    ///
    /// A tick whose job is still kept, finished or not, enqueues nothing more. The schedule's [`Overlap`](queue_core::Overlap) does
    /// not apply.
    ///
    /// # Errors
    ///
    /// `Invalid` for more than 10,000 ticks. Those of [`remove`](Self::remove).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, all of the jobs are stored or none.
    pub async fn backfill(
        &self,
        name: impl AsRef<str>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<usize, QueueError> {
        let (_, stored) = self.find(name.as_ref()).await?;
        let timetable = stored.timetable()?;
        let mut after = from.saturating_sub(Duration::from_micros(1));
        let ticks = std::iter::from_fn(|| {
            after = timetable.next(after).filter(|tick| *tick < to)?;
            Some(after)
        });
        let ticks: Vec<_> = ticks.take(MOST_BACKFILLED + 1).collect();
        if ticks.len() > MOST_BACKFILLED {
            return Err(QueueError::invalid(format!(
                "there are more than {MOST_BACKFILLED} ticks in that time: backfill it in parts"
            )));
        }
        let jobs = ticks.iter().map(|at| stored.backfilled(*at)).collect();
        self.queue.push(jobs).await?;
        Ok(ticks.len())
    }

    async fn remove_in_turn(&self, name: &str) -> Result<(), QueueError> {
        let (tick, stored) = self.find(name).await?;
        self.retire(&tick, &stored).await
    }

    async fn pause_in_turn(&self, name: &str) -> Result<(), QueueError> {
        let (tick, stored) = self.find(name).await?;
        if stored.is_paused {
            return Ok(());
        }
        let paused = StoredSchedule { is_paused: true, ..stored.clone() };
        let receipt = self.push_one(paused.replacing(&stored, &tick)?).await?;
        self.end_earlier(&tick, receipt, "the schedule was paused").await
    }

    async fn resume_in_turn(&self, name: &str) -> Result<(), QueueError> {
        let (tick, stored) = self.find(name).await?;
        if !stored.is_paused {
            return Ok(());
        }
        let resumed = StoredSchedule { is_paused: false, ..stored.clone() };
        self.push_one(resumed.replacing(&stored, &tick)?).await.map(drop)
    }

    /// Ends a schedule: a removed one takes the place of its tick, and keeps the key until no tick can be performed any more. So the
    /// next tick of one that is being performed is not stored.
    pub(super) async fn retire(&self, tick: &JobRecord, stored: &StoredSchedule) -> Result<(), QueueError> {
        let removed = StoredSchedule { is_removed: true, is_paused: false, ..stored.clone() };
        let unique = Unique::new(removed.key()).replace();
        let receipt = self.push_one(removed.tick()?.unique(unique).delay(KEY_KEPT)).await?;
        self.end_earlier(tick, receipt, "the schedule was removed").await
    }

    /// Cancels the tick whose place another one has taken, if it was being performed. If it completes before it learns of that, its jobs
    /// stand.
    async fn end_earlier(&self, tick: &JobRecord, receipt: Receipt, why: &str) -> Result<(), QueueError> {
        if !matches!(receipt, Receipt::Stored(_)) {
            return Ok(());
        }
        match self.queue.cancel(tick.id, why).await {
            Err(error) if error.kind() == QueueErrorKind::NotFound => Ok(()),
            other => other.map(drop),
        }
    }

    /// Returns the tick of a schedule, with the schedule.
    async fn find(&self, name: &str) -> Result<(JobRecord, StoredSchedule), QueueError> {
        check_group(&self.group).and_then(|()| check_name(name)).map_err(QueueError::invalid)?;
        // A removed schedule is pushed to learn which job holds the key: a list would read all ticks of the group.
        let none = JobTemplate::of(&NewJob::new("none", queue_core::Body::stored("null")))?;
        let probe = StoredSchedule::new(&self.group, name, Recurrence::every(Duration::from_secs(1)), none);
        let probe = StoredSchedule { is_removed: true, ..probe };
        let found = self.holder(probe.tick()?.delay(KEY_KEPT)).await?;
        found.filter(|(_, stored)| !stored.is_removed).ok_or_else(|| {
            let message = format!("there is no schedule `{name}` in the group `{}`", self.group);
            QueueError::new(QueueErrorKind::NotFound, message)
        })
    }

    /// Pushes a tick. If another one holds its key, returns that one with its schedule.
    async fn holder(&self, tick: NewJob) -> Result<Option<(JobRecord, StoredSchedule)>, QueueError> {
        for _ in 0..READS {
            let Receipt::Existing(id) = self.push_one(tick.clone()).await? else { return Ok(None) };
            // If the tick was performed in between, the next one holds the key.
            let record = self.queue.get(id).await?.filter(|record| !record.state.is_finished());
            if let Some(record) = record {
                let stored = StoredSchedule::of(&record)?;
                return Ok(Some((record, stored)));
            }
        }
        Err(QueueError::unavailable("the schedule ticks faster than it can be read"))
    }

    async fn push_one(&self, job: NewJob) -> Result<Receipt, QueueError> {
        let receipts = self.queue.push(vec![job]).await?;
        receipts.first().copied().ok_or_else(|| QueueError::unavailable("the queue returned no receipt"))
    }
}
