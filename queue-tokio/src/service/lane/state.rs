//! The decisions of a lane, under its lock.

use std::mem;
use std::sync::Arc;

use queue_core::Transition;

use super::{Claim, Finished, InFlightJob, LaneState, MAX_BATCH, NextStep, Yields};

impl LaneState {
    pub(super) fn step(&mut self, share: usize, is_stopping: bool, yields: Yields) -> NextStep {
        if yields == Yields::Now {
            return NextStep::Yield;
        }
        let room = share.saturating_sub(self.running);
        if room > 0
            && !is_stopping
            && let Some(job) = self.waiting.pop_front()
        {
            self.running += 1;
            return NextStep::Run(job);
        }
        let can_claim = room > 0 && !is_stopping && self.claimer.is_some();
        if can_claim && room < share.div_ceil(2) && yields != Yields::Done {
            return NextStep::Yield;
        }
        let finished = self.begin_settlement();
        if !finished.is_empty() {
            return NextStep::Settle(finished);
        }
        if can_claim && let Some(claimer) = self.claimer.take() {
            return NextStep::Claim(Claim { claimer, room, has_suspended: self.has_suspended });
        }
        self.active -= 1;
        if is_stopping {
            return NextStep::Leave;
        }
        self.parked += 1;
        NextStep::Park
    }

    pub(super) fn has_work(&self, share: usize, is_stopping: bool) -> bool {
        let can_start = !self.waiting.is_empty() || self.claimer.is_some();
        let can_settle = !self.finished.is_empty() && !self.is_settling;
        can_settle || (can_start && self.running < share && !is_stopping)
    }

    pub(super) fn begin_settlement(&mut self) -> Vec<Finished> {
        if self.is_settling || self.finished.is_empty() {
            return Vec::new();
        }
        self.is_settling = true;
        self.progress.settlements += 1;
        if self.finished.len() <= MAX_BATCH {
            return mem::take(&mut self.finished);
        }
        self.finished.drain(..MAX_BATCH).collect()
    }

    /// Takes the result of a running job. Gives a result back that is stale, since the job was released by force.
    pub(super) fn finish(&mut self, finished: Finished) -> Option<Finished> {
        if !finished.job().end() {
            return Some(finished);
        }
        self.running -= 1;
        self.finished.push(finished);
        None
    }

    /// Ends a job that waits.
    pub(super) fn release(&mut self, job: Arc<InFlightJob>) {
        if job.end() {
            self.finished.push(Finished::unrun(job, Transition::Release));
        }
    }
}
