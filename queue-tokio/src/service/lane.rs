//! A lane: the scheduler of a fixed share of the jobs that run at once.
//!
//! The workers of a lane are tasks. An *active* worker runs on a thread or is about to: it will ask for its next step by itself.
//! When its job, its settlement or its claim has to wait for something, the worker is suspended, and another one continues with
//! the lane if there is anything to do.
//!
//! # Invariants
//!
//! - A lane starts a job only if fewer than its share run. The shares add up to the concurrency.
//! - A worker is active, or the lane runs its share, or a claim is under way and no job waits.
//! - Results are not left behind: if no worker is active, a settlement is under way, or there is nothing to settle.
//! - At most one claim and one settlement of a lane are under way. Meanwhile jobs and results gather for the next.
//! - A job is in flight from its claim until its settlement is answered.

mod state;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_utils::CachePadded;
use queue_core::{AttemptRunner, Delivery, Timestamp, Transition};
use tokio::sync::Semaphore;

use super::claimer::Claimer;
use super::finished::Finished;
use super::in_flight::{FreeSlot, InFlight};
use super::job::InFlightJob;

/// A settlement has at most this many jobs.
pub(super) const MAX_BATCH: usize = 1000;

/// The scheduler of a lane. All its state is behind one lock, in cache lines of its own.
#[derive(Debug)]
pub(super) struct Lane {
    number: usize,
    share: usize,
    state: CachePadded<Mutex<LaneState>>,
    /// A permit for each parked worker that is to continue.
    unparked: Semaphore,
}

#[derive(Debug)]
struct LaneState {
    in_flight: InFlight,
    /// Claimed jobs that no worker has started, in the order of the claims.
    waiting: VecDeque<Arc<InFlightJob>>,
    finished: Vec<Finished>,
    /// Jobs that a worker has started and that have not ended.
    running: usize,
    active: usize,
    parked: usize,
    /// `None` while a claim is under way.
    claimer: Option<Box<Claimer>>,
    is_settling: bool,
    /// Whether a job was suspended since the last claim.
    has_suspended: bool,
    progress: Progress,
    /// Whether the watchdog has called a worker that has not come yet.
    is_reinforced: bool,
    /// Whether the service stops, also if a worker has not seen it yet.
    is_closed: bool,
}

/// How far a lane has come: the watchdog compares two of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    steps: u64,
    settlements: u64,
}

/// The result of a worker's last step.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The job that it has run.
    pub(super) finished: Option<Finished>,
    /// Whether it was suspended meanwhile.
    pub(super) was_suspended: bool,
    /// Whether it must let other tasks run, or has just done so.
    pub(super) yields: Yields,
}

/// When a worker lets other tasks run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Yields {
    /// If the lane asks for it.
    #[default]
    IfAsked,
    /// Before its next job.
    Now,
    /// It has just done so.
    Done,
}

/// The next step of a worker.
#[derive(Debug)]
pub(super) enum NextStep {
    Run(Arc<InFlightJob>),
    /// Let jobs that are about to end do so: their room is claimed together.
    Yield,
    Settle(Vec<Finished>),
    Claim(Claim),
    /// Wait until another worker or the watchdog calls.
    Park,
    Leave,
}

/// A claim that a worker is to make.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) claimer: Box<Claimer>,
    /// How many more jobs the lane can start.
    pub(super) room: usize,
    /// Whether a job was suspended since the last claim, so that it may still run.
    pub(super) has_suspended: bool,
}

impl Lane {
    pub(super) fn new(number: usize, share: usize, claimer: Claimer) -> Self {
        let state = LaneState {
            in_flight: InFlight::default(),
            waiting: VecDeque::new(),
            finished: Vec::new(),
            running: 0,
            active: 0,
            parked: 0,
            claimer: Some(Box::new(claimer)),
            is_settling: false,
            has_suspended: false,
            progress: Progress::default(),
            is_reinforced: false,
            is_closed: false,
        };
        Self { number, share, state: CachePadded::new(Mutex::new(state)), unparked: Semaphore::new(0) }
    }

    /// Notes that the first worker is started.
    pub(super) fn open(&self) {
        self.lock().active += 1;
    }

    /// Takes a worker's report, and returns its next step.
    pub(super) fn next(&self, report: Report, is_stopping: bool) -> NextStep {
        // A stale result is dropped after the lock: it may run foreign code.
        let _stale;
        let mut state = self.lock();
        state.progress.steps += 1;
        state.is_reinforced = false;
        state.active += usize::from(report.was_suspended);
        _stale = report.finished.and_then(|finished| state.finish(finished));
        let is_stopping = is_stopping || state.is_closed;
        state.step(self.share, is_stopping, report.yields)
    }

    /// Notes that a worker has to wait for something. Returns whether a new worker must be started in its place.
    #[must_use]
    pub(super) fn suspend(&self, runs_a_job: bool, is_stopping: bool) -> bool {
        let mut state = self.lock();
        state.active -= 1;
        state.has_suspended |= runs_a_job;
        let is_needed = state.active == 0 && state.has_work(self.share, is_stopping);
        is_needed && self.call(state)
    }

    /// Calls a parked worker. Returns whether there is none, so that a new one must be started.
    fn call(&self, mut state: MutexGuard<'_, LaneState>) -> bool {
        state.active += 1;
        if state.parked == 0 {
            return true;
        }
        state.parked -= 1;
        drop(state);
        self.unparked.add_permits(1);
        false
    }

    /// Waits until the lane is called to work, or closed.
    pub(super) async fn parked(&self) {
        // The semaphore is never closed: that would end workers that have been called.
        if let Ok(permit) = self.unparked.acquire().await {
            permit.forget();
        }
    }

    /// Calls all parked workers, and lets none park any more: each settles results, and leaves.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let parked = mem::take(&mut state.parked);
        state.active += parked;
        drop(state);
        self.unparked.add_permits(parked);
    }

    /// Creates the jobs of some deliveries, which [`accept`](Self::accept) takes.
    pub(super) fn jobs_of(
        &self,
        deliveries: Vec<Delivery>,
        runner: &AttemptRunner,
        now: Timestamp,
    ) -> Vec<Arc<InFlightJob>> {
        let mut free = self.lock().in_flight.take_free(deliveries.len());
        // Jobs are created outside of the lock, so that it is held only briefly.
        let job = |(delivery, free): (Delivery, FreeSlot)| free.job(delivery, self.number, runner, now);
        let jobs = deliveries.into_iter().zip(free.drain(..)).map(job).collect();
        self.lock().in_flight.add_free(free);
        jobs
    }

    /// Takes the jobs that a claim has brought, and its claimer.
    pub(super) fn accept(&self, jobs: Vec<Arc<InFlightJob>>, claimer: Box<Claimer>, was_suspended: bool) {
        let mut state = self.lock();
        state.claimer = Some(claimer);
        state.has_suspended = false;
        state.active += usize::from(was_suspended);
        for job in jobs {
            state.in_flight.insert(job.clone());
            state.waiting.push_back(job);
        }
    }

    /// Ends all jobs that no worker has started.
    pub(super) fn release_waiting(&self) {
        let mut state = self.lock();
        while let Some(job) = state.waiting.pop_front() {
            state.release(job);
        }
    }

    /// Ends all running jobs, whose workers can't be stopped: their results will be dropped.
    pub(super) fn release_running(&self) {
        let mut state = self.lock();
        let running: Vec<_> = state.in_flight.iter().filter(|job| job.is_running()).cloned().collect();
        for job in running {
            drop(state.finish(Finished::unrun(job, Transition::Release)));
        }
    }

    /// Begins a settlement, unless one is under way or there is nothing to settle.
    pub(super) fn begin_settlement(&self) -> Vec<Finished> {
        self.lock().begin_settlement()
    }

    /// Notes that the settlement was answered, or is sent again elsewhere.
    pub(super) fn end_settlement(&self) {
        self.lock().is_settling = false;
    }

    /// Removes settled jobs, all of this lane. Each job is settled once: the lane drops later results.
    pub(super) fn remove(&self, mut settled: Vec<Finished>) {
        let mut state = self.lock();
        for finished in &settled {
            state.in_flight.remove(finished.job());
        }
        let mut free = state.in_flight.take_spare();
        drop(state);
        // The last clone of a job runs foreign code, a payload's `Drop`, which must not run under the lock.
        free.extend(settled.drain(..).map(|finished| FreeSlot::of(finished.into_job())));
        let mut state = self.lock();
        state.in_flight.add_free(free);
        if state.finished.is_empty() {
            // The next results use its memory.
            state.finished = settled;
        }
    }

    /// Visits the jobs in flight, under the lock.
    pub(super) fn each(&self, visit: impl FnMut(&Arc<InFlightJob>)) {
        self.lock().in_flight.iter().for_each(visit);
    }

    /// Returns whether no job is in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().in_flight.is_empty()
    }

    /// Returns whether no job runs or waits for a worker.
    pub(super) fn is_quiet(&self) -> bool {
        let state = self.lock();
        state.running == 0 && state.waiting.is_empty()
    }

    /// Returns whether a claim is under way.
    pub(super) fn is_claiming(&self) -> bool {
        self.lock().claimer.is_none()
    }

    fn lock(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
