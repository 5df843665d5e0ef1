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

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
}

/// How far a lane has come: the watchdog compares two of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    steps: u64,
    settlements: u64,
}

/// What a worker has done since its last step.
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

/// What a worker is to do next.
#[derive(Debug)]
pub(super) enum NextStep {
    Run(Arc<InFlightJob>),
    /// Let jobs that are about to end do so: their room is claimed together.
    Yield,
    Settle(Vec<Finished>),
    Claim(Claim),
    /// Wait until somebody calls.
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

/// What the watchdog is to do for a lane.
#[derive(Debug, Default)]
pub(super) struct Rescue {
    /// Start another worker.
    pub(super) needs_worker: bool,
    /// Settle these.
    pub(super) finished: Vec<Finished>,
    /// Check again after this time at the latest.
    pub(super) next: Option<Duration>,
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

    /// Waits until somebody calls. Returns `false` if the worker must end.
    pub(super) async fn parked(&self) -> bool {
        self.unparked.acquire().await.map(tokio::sync::SemaphorePermit::forget).is_ok()
    }

    /// Ends all workers that are parked, or will be.
    pub(super) fn close(&self) {
        self.unparked.close();
    }

    /// Creates the jobs of some deliveries, which [`accept`](Self::accept) takes.
    pub(super) fn jobs_of(
        &self,
        deliveries: Vec<Delivery>,
        runner: &AttemptRunner,
        now: Timestamp,
    ) -> Vec<Arc<InFlightJob>> {
        let free = self.lock().in_flight.take_free(deliveries.len());
        // Jobs are created outside of the lock, so that it is held only briefly.
        let job = |(delivery, free): (Delivery, FreeSlot)| free.job(delivery, self.number, runner, now);
        deliveries.into_iter().zip(free).map(job).collect()
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

    /// Removes settled jobs.
    pub(super) fn remove(&self, jobs: impl IntoIterator<Item = Arc<InFlightJob>>) {
        // The last clone of a job runs foreign code, a payload's `Drop`, which must not run under the lock.
        let jobs: Vec<_> = jobs.into_iter().collect();
        let mut state = self.lock();
        let removed: Vec<_> = jobs.iter().filter_map(|job| state.in_flight.remove(job)).collect();
        drop(state);
        drop(jobs);
        let free: Vec<_> = removed.into_iter().map(FreeSlot::of).collect();
        self.lock().in_flight.add_free(free);
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

/// The watchdog's view.
impl Lane {
    /// How often the watchdog checks a lane with an active worker. Results wait no longer than about twice this time.
    pub(super) const CHECK: Duration = Duration::from_millis(2);

    /// How often it checks a lane that it can't help.
    pub(super) const SLOW_CHECK: Duration = Duration::from_millis(10);

    /// Returns whether a worker is active.
    pub(super) fn is_active(&self) -> bool {
        self.lock().active > 0
    }

    /// Returns what the lane needs, since its workers may be held by jobs that block their threads. `last` is the progress at the
    /// last check, and becomes the current one.
    pub(super) fn rescue(&self, last: &mut Progress, is_stopping: bool) -> Rescue {
        let mut rescue = Rescue::default();
        let mut state = self.lock();
        let before = std::mem::replace(last, state.progress);
        // Without an active worker, only results of `release_surplus` are left.
        if state.active == 0 || before.settlements == state.progress.settlements {
            rescue.finished = state.begin_settlement();
        }
        if state.active == 0 {
            return rescue;
        }
        rescue.next = Some(Self::CHECK);
        if before.steps == state.progress.steps {
            if state.is_reinforced || !state.has_work(self.share, is_stopping) {
                rescue.next = Some(Self::SLOW_CHECK);
            } else {
                state.is_reinforced = true;
                rescue.needs_worker = self.call(state);
            }
        }
        rescue
    }

    /// Releases jobs that have waited for `patience` and can't start soon: the lane runs its share, or will. Returns when the
    /// next one is to be released.
    pub(super) fn release_surplus(&self, now: Timestamp, patience: Duration) -> Option<Duration> {
        let mut state = self.lock();
        let room = self.share.saturating_sub(state.running);
        loop {
            let surplus = state.waiting.len().saturating_sub(room);
            let oldest = state.waiting.front().filter(|_| surplus > 0)?;
            let waited = now.since(oldest.attempt().received_at());
            if waited < patience {
                return Some(patience.saturating_sub(waited));
            }
            let oldest = state.waiting.pop_front()?;
            state.release(oldest);
        }
    }
}

impl LaneState {
    fn step(&mut self, share: usize, is_stopping: bool, yields: Yields) -> NextStep {
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

    fn has_work(&self, share: usize, is_stopping: bool) -> bool {
        let can_start = !self.waiting.is_empty() || self.claimer.is_some();
        let can_settle = !self.finished.is_empty() && !self.is_settling;
        can_settle || (can_start && self.running < share && !is_stopping)
    }

    fn begin_settlement(&mut self) -> Vec<Finished> {
        if self.is_settling || self.finished.is_empty() {
            return Vec::new();
        }
        self.is_settling = true;
        self.progress.settlements += 1;
        if self.finished.len() <= MAX_BATCH {
            return std::mem::take(&mut self.finished);
        }
        self.finished.drain(..MAX_BATCH).collect()
    }

    /// Takes the result of a running job. Gives a result back that is stale, since the job was released by force.
    fn finish(&mut self, finished: Finished) -> Option<Finished> {
        if !finished.job().end() {
            return Some(finished);
        }
        self.running -= 1;
        self.finished.push(finished);
        None
    }

    /// Ends a job that waits.
    fn release(&mut self, job: Arc<InFlightJob>) {
        if job.end() {
            self.finished.push(Finished::unrun(job, Transition::Release));
        }
    }
}
