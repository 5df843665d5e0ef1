//! The operations of operators.

use std::collections::BinaryHeap;

use super::lane::Lane;
use super::{JobTable, Slot};
use crate::contract::admin::{Cancellation, Cursor, Filter, JobPage, PageRequest, Prune, QueueCounts};
use crate::contract::clock::Timestamp;
use crate::contract::error::QueueError;
use crate::contract::id::JobId;
use crate::contract::limits::Limits;
use crate::contract::name::QueueName;
use crate::contract::record::{JobRecord, State};

impl JobTable {
    /// Returns one job.
    pub fn get(&mut self, now: Timestamp, id: JobId) -> Option<JobRecord> {
        self.advance(now);
        self.slot(id).and_then(|slot| self.record(slot))
    }

    /// Returns a page of jobs, in push order. It visits every job, so it is meant for people, not for programs.
    ///
    /// # Errors
    ///
    /// `Invalid` if the cursor is not one of this table.
    pub fn list(
        &mut self,
        now: Timestamp,
        filter: &Filter,
        page: &PageRequest,
    ) -> Result<JobPage, QueueError> {
        self.advance(now);
        let after = page.after.as_ref().map_or(Ok(0), Cursor::position)?;
        // A max-heap of the first jobs of the page and one more. It drops its last job whenever it holds one too many.
        let mut first: BinaryHeap<(u64, Slot)> = BinaryHeap::new();
        for (slot, entry) in &self.entries {
            if entry.sequence > after && self.passes(filter, entry) {
                first.push((entry.sequence, Slot::try_from(slot).unwrap_or(Slot::MAX)));
                if first.len() > page.limit.saturating_add(1) {
                    first.pop();
                }
            }
        }
        let found = first.into_sorted_vec();
        let record = |(sequence, slot): (u64, Slot)| Some((sequence, self.record(slot)?));
        Ok(JobPage::of(found.into_iter().filter_map(record).collect(), page.limit))
    }

    /// Counts jobs by queue and state.
    pub fn counts(&mut self, now: Timestamp) -> Vec<QueueCounts> {
        self.advance(now);
        let used = self.lanes.iter().filter(|lane| lane.is_used);
        let mut counts: Vec<_> = used.map(Lane::counts).collect();
        counts.sort_by(|a, b| a.queue.cmp(&b.queue));
        counts
    }

    /// Cancels a waiting job, or asks an executing job to stop.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such job.
    pub fn cancel(&mut self, now: Timestamp, id: JobId, reason: &str) -> Result<Cancellation, QueueError> {
        self.advance(now);
        let slot = self.known(id)?;
        let Some(entry) = self.entries.get_mut(slot as usize) else {
            return Err(QueueError::unknown_job(id));
        };
        if entry.state.is_finished() {
            return Ok(Cancellation::Finished);
        }
        entry.extras().cancel_reason = Some(Limits::cut(reason.to_owned()));
        if entry.state == State::Executing {
            return Ok(Cancellation::Requested);
        }
        self.finish(slot, State::Cancelled);
        Ok(Cancellation::Cancelled)
    }

    /// Moves a finished or waiting job to the available state, with at least one attempt left.
    ///
    /// # Errors
    ///
    /// `Conflict` if it is executing or another job holds its unique key; `NotFound` if there is no such job.
    pub fn retry(&mut self, now: Timestamp, id: JobId) -> Result<(), QueueError> {
        self.advance(now);
        let slot = self.known(id)?;
        let Some(entry) = self.entry(slot) else {
            return Err(QueueError::unknown_job(id));
        };
        if entry.state == State::Executing {
            return Err(QueueError::executing_job(id));
        }
        let was_finished = entry.state.is_finished();
        if was_finished {
            self.take_key_back(slot)?;
            self.unfinished += 1;
        }
        if let Some(entry) = self.entries.get_mut(slot as usize) {
            entry.max_attempts = entry.max_attempts.max(entry.attempt.saturating_add(1));
            if let Some(extras) = &mut entry.extras {
                extras.cancel_reason = None;
            }
        }
        self.wait_until(slot, now, State::Scheduled);
        Ok(())
    }

    /// Deletes a job.
    ///
    /// # Errors
    ///
    /// `Conflict` if it is executing; `NotFound` if there is no such job.
    pub fn delete(&mut self, now: Timestamp, id: JobId) -> Result<(), QueueError> {
        self.advance(now);
        let slot = self.known(id)?;
        let Some(entry) = self.entry(slot) else {
            return Err(QueueError::unknown_job(id));
        };
        if entry.state == State::Executing {
            return Err(QueueError::executing_job(id));
        }
        if let (Some(unique), Some(name)) = (entry.unique().cloned(), self.jobs.name(entry.name)) {
            self.unique.release(name, &unique, id);
        }
        self.remove(slot);
        Ok(())
    }

    /// Stops deliveries from a queue.
    pub fn pause(&mut self, queue: &QueueName) {
        self.set_paused(queue, true);
    }

    /// Resumes deliveries from a queue.
    pub fn resume(&mut self, queue: &QueueName) {
        self.set_paused(queue, false);
    }

    /// Deletes finished jobs by age, at most `prune.limit` of them. Returns the number of deleted jobs.
    pub fn prune(&mut self, now: Timestamp, prune: &Prune) -> u64 {
        self.advance(now);
        self.prune_finished(prune)
    }

    fn set_paused(&mut self, queue: &QueueName, paused: bool) {
        let index = self.lane(queue);
        if let Some(lane) = self.lanes.get_mut(index as usize) {
            lane.is_used = true;
            lane.is_paused = paused;
            Self::note_change(&mut self.changed, lane, index);
        }
    }

    /// Takes the unique key again for a finished job that will run again.
    fn take_key_back(&mut self, slot: Slot) -> Result<(), QueueError> {
        let Some(entry) = self.entry(slot) else {
            return Ok(());
        };
        let (Some(unique), Some(name)) = (entry.unique().cloned(), self.jobs.name(entry.name)) else {
            return Ok(());
        };
        let (id, pushed_at) = (entry.id, entry.pushed_at);
        match self.unique.holder(name, &unique) {
            Some(holder) if holder != id => Err(QueueError::unique_key_taken(id, holder)),
            Some(_) | None => {
                self.unique.hold(name, &unique, id, pushed_at);
                Ok(())
            }
        }
    }

    fn passes(&self, filter: &Filter, entry: &super::entry::Entry) -> bool {
        let queue = self.lanes.get(entry.lane as usize).map(|lane| &lane.name);
        filter.queue.as_ref().is_none_or(|wanted| Some(wanted) == queue)
            && (filter.states.is_empty() || filter.states.contains(&entry.state))
            && filter.name.as_ref().is_none_or(|wanted| Some(wanted) == self.jobs.name(entry.name))
            && filter.pushed_before.is_none_or(|instant| entry.pushed_at < instant)
    }

    fn record(&self, slot: Slot) -> Option<JobRecord> {
        let entry = self.entry(slot)?;
        let (name, lane) = (self.jobs.name(entry.name)?, self.lanes.get(entry.lane as usize)?);
        Some(entry.record(name, &lane.name))
    }

    fn known(&self, id: JobId) -> Result<Slot, QueueError> {
        self.slot(id).ok_or_else(|| QueueError::unknown_job(id))
    }
}
