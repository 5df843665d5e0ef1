//! The list of schedules.

use std::collections::HashSet;
use std::time::Duration;

use queue_core::admin::{Filter, PageRequest, Sort};
use queue_core::{Admin as _, Job as _, QueueError};

use crate::cursor::ScheduleCursor;
use crate::record::{SchedulePage, ScheduleRecord};
use crate::stored::StoredSchedule;
use crate::tick_job::tick;

use super::Schedules;

/// The size of the pages that [`Schedules::list`] reads.
const PAGE: usize = 1_000;

impl Schedules {
    /// Returns all schedules of the group: first those that the program declares, then those that were put at run time, each by their
    /// next ticks.
    ///
    /// # Errors
    ///
    /// Those of [`Admin::list`](queue_core::Admin::list). A schedule that a newer program has stored is left out.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time.
    pub async fn list(&self) -> Result<Vec<ScheduleRecord>, QueueError> {
        let (mut schedules, mut after) = (Vec::new(), None);
        loop {
            let page = self.page(after, PAGE).await?;
            schedules.extend(page.schedules);
            if page.next.is_none() {
                return Ok(schedules);
            }
            after = page.next;
        }
    }

    /// Returns a page of the schedules in the order of [`list`](Self::list): at most `limit`, after a cursor.
    ///
    /// It reads the ticks of the page, and then their last jobs: two trips, or three on the page where the declared schedules end,
    /// however many schedules there are.
    ///
    /// # Errors
    ///
    /// Those of [`list`](Self::list).
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time.
    pub async fn page(
        &self,
        after: Option<ScheduleCursor>,
        limit: usize,
    ) -> Result<SchedulePage, QueueError> {
        let place = after.unwrap_or(ScheduleCursor { is_declared: true, after: None });
        let mut page = self.read_page(&place, limit).await?;
        // The schedules that were put at run time begin on the page on which the declared ones end.
        if place.is_declared
            && page.schedules.len() < limit
            && let Some(next) = page.next.take()
        {
            let rest = self.read_page(&next, limit - page.schedules.len()).await?;
            page.schedules.extend(rest.schedules);
            page.next = rest.next;
        }
        self.add_states(&mut page.schedules).await?;
        Ok(page)
    }

    /// Reads a page of ticks, either declared ones or others.
    async fn read_page(&self, place: &ScheduleCursor, limit: usize) -> Result<SchedulePage, QueueError> {
        let is_declared = place.is_declared;
        let ticks = Filter::all().queue(StoredSchedule::queue_of(&self.group, is_declared));
        let filter = ticks.name(tick::NAME).unfinished();
        let mut request = PageRequest::first(limit).sort(Sort::RunAt);
        request.after = place.after.clone();
        let page = self.queue.list(&filter, &request).await?;
        let next = match page.next {
            Some(after) => Some(ScheduleCursor { is_declared, after: Some(after) }),
            None => is_declared.then_some(ScheduleCursor { is_declared: false, after: None }),
        };
        let read = page.jobs.iter().filter_map(|tick| ScheduleRecord::of(tick).ok().flatten());
        // Beside a tick that is performed there may be one that follows it, and comes later.
        let mut names = HashSet::new();
        let mut schedules: Vec<_> = read.collect();
        schedules.reverse();
        schedules.retain(|schedule: &ScheduleRecord| names.insert(schedule.name.clone()));
        schedules.reverse();
        Ok(SchedulePage { schedules, next })
    }

    /// Reads the states of the last jobs.
    pub(super) async fn add_states(&self, schedules: &mut [ScheduleRecord]) -> Result<(), QueueError> {
        let ids: Vec<_> = schedules.iter().filter_map(|schedule| Some(schedule.last?.job)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let jobs = self.queue.ended(&ids, Duration::ZERO).await?;
        let last = schedules.iter_mut().filter_map(|schedule| schedule.last.as_mut());
        for (last, job) in last.zip(jobs) {
            last.state = job.map(|job| job.state);
        }
        Ok(())
    }
}
