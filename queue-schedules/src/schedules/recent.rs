//! One schedule, the last ticks of some, and the groups of a store.

use std::collections::BTreeSet;
use std::time::Duration;

use queue_core::admin::{Filter, PageRequest, QueueSummary, Sort};
use queue_core::{Admin as _, Job as _, QueueError, State, Tick};

use crate::record::{ScheduleRecord, TickRun};
use crate::stored::{PUT, StoredSchedule};
use crate::tick_job::tick;

use super::Schedules;

impl Schedules {
    /// Returns the groups that have schedules, sorted by name, from the [summary](queue_core::Admin::summary) of a store.
    ///
    /// ```
    /// # use queue_core::{Admin as _, Recurrence, background_job};
    /// # use queue_schedules::Schedules;
    /// # use queue_tokio::MemoryQueue;
    /// # #[background_job]
    /// # async fn sync() {}
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), queue_core::BoxError> {
    /// # let queue = MemoryQueue::new();
    /// let hourly = Recurrence::cron("@hourly");
    /// Schedules::new("shop", queue.clone()).put("sync", hourly, sync::new()).await?;
    ///
    /// assert_eq!(Schedules::groups(&queue.summary().await?), ["shop"]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn groups(summaries: &[QueueSummary]) -> Vec<String> {
        let unfinished = || State::ALL.into_iter().filter(|state| !state.is_finished());
        let has_ticks = |summary: &&QueueSummary| unfinished().any(|state| summary.of(state).jobs > 0);
        let group = |summary: &QueueSummary| {
            let group = summary.queue.as_str().strip_prefix(Tick::QUEUES)?;
            Some(group.strip_suffix(PUT).unwrap_or(group).to_owned())
        };
        let groups: BTreeSet<_> = summaries.iter().filter(has_ticks).filter_map(group).collect();
        groups.into_iter().collect()
    }

    /// Returns one schedule, or `None` if the group has no schedule of that name.
    ///
    /// # Errors
    ///
    /// Those of [`Admin::list`](queue_core::Admin::list). `Corrupt` or `Invalid` if a newer program has stored the schedule.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time.
    pub async fn get(&self, name: impl AsRef<str>) -> Result<Option<ScheduleRecord>, QueueError> {
        let key = StoredSchedule::key_of(self.group(), name.as_ref());
        for queue in self.tick_queues() {
            let filter = Filter::all().queue(queue).name(tick::NAME).unique(&*key).unfinished();
            // Beside a tick that is performed there may be one that follows it, and comes later.
            let request = PageRequest::first(1).sort(Sort::RunAt).newest();
            let page = self.queue.list(&filter, &request).await?;
            let record = page.jobs.first().map(ScheduleRecord::of).transpose()?.flatten();
            if let Some(record) = record {
                let mut found = [record];
                self.add_states(&mut found).await?;
                let [found] = found;
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Returns the last `count` ticks of each of these schedules, the oldest first, each with what became of its job.
    ///
    /// The ticks are those that the schedule has by its times now, so ticks from before a change of the times have no job. It reads
    /// all jobs in one trip.
    ///
    /// # Errors
    ///
    /// Those of [`Admin::ended`](queue_core::Admin::ended).
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time.
    pub async fn recent(
        &self,
        schedules: &[ScheduleRecord],
        count: usize,
    ) -> Result<Vec<Vec<TickRun>>, QueueError> {
        let mut runs: Vec<_> = schedules.iter().map(|schedule| schedule.last_ticks(count)).collect();
        let ids: Vec<_> = runs.iter().flatten().map(|run| run.job).collect();
        if ids.is_empty() {
            return Ok(runs);
        }
        let jobs = self.queue.ended(&ids, Duration::ZERO).await?;
        for (run, job) in runs.iter_mut().flatten().zip(jobs) {
            run.state = job.map(|job| job.state);
        }
        Ok(runs)
    }
}
