//! Random walks: workers, the watchdog and a stop take their steps in any order, and the lane's invariants hold after each.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use queue_core::{Clock as _, JobId, Transition};

use super::{Claim, Finished, Fixture, InFlightJob, NextStep, PATIENCE, Progress, Report, Yields};

/// A worker between two steps.
enum Worker {
    /// It is about to ask for its next step.
    Ready(Report),
    Runs {
        job: Arc<InFlightJob>,
        is_suspended: bool,
    },
    Settles {
        batch: Vec<Finished>,
        is_suspended: bool,
    },
    Claims {
        claim: Claim,
        is_suspended: bool,
    },
    Yields,
    Parked,
    Ended,
}

struct Walk {
    fixture: Fixture,
    share: usize,
    random: fastrand::Rng,
    workers: Vec<Worker>,
    /// The settlement of a task that is no worker: the watchdog's, or one of the stop.
    settlement: Option<Vec<Finished>>,
    progress: Progress,
    /// Whether the watchdog has called a worker, and no worker has come since.
    is_reinforced: bool,
    is_stopping: bool,
    /// Whether a worker has seen that there was no stop, and takes a step only now.
    is_late: bool,
    claimed: usize,
    settled: BTreeMap<JobId, u32>,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let share = random.usize(1..6);
        Self {
            fixture: Fixture::new(share),
            share,
            random,
            workers: vec![Worker::Ready(Report::default())],
            settlement: None,
            progress: Progress::default(),
            is_reinforced: false,
            is_stopping: false,
            is_late: false,
            claimed: 0,
            settled: BTreeMap::new(),
        }
    }

    fn step(&mut self) {
        match self.random.u8(0..16) {
            0 => self.watch(),
            1 => self.fixture.clock.advance(PATIENCE / 3),
            2 | 3 => self.continue_settlement(),
            _ => {
                let index = self.random.usize(0..self.workers.len());
                let worker = mem::replace(&mut self.workers[index], Worker::Ended);
                self.workers[index] = self.advance(worker);
            }
        }
        self.check();
    }

    fn advance(&mut self, worker: Worker) -> Worker {
        match worker {
            Worker::Ready(report) => self.take_step(report),
            Worker::Runs { job, is_suspended: false } if self.random.bool() => {
                self.suspend(true);
                Worker::Runs { job, is_suspended: true }
            }
            // A job that waits for something runs for longer.
            Worker::Runs { job, is_suspended: true } if self.random.u8(0..4) > 0 => {
                Worker::Runs { job, is_suspended: true }
            }
            Worker::Runs { job, is_suspended } => {
                let yields = if self.random.u8(0..5) == 0 { Yields::Now } else { Yields::IfAsked };
                let finished = Some(Finished::unrun(job, Transition::complete()));
                Worker::Ready(Report { finished, was_suspended: is_suspended, yields })
            }
            Worker::Settles { batch, is_suspended: false } if self.random.bool() => {
                self.suspend(false);
                Worker::Settles { batch, is_suspended: true }
            }
            Worker::Settles { batch, is_suspended } => {
                self.settle(batch);
                Worker::Ready(Report { was_suspended: is_suspended, ..Report::default() })
            }
            Worker::Claims { claim, is_suspended: false } if self.random.bool() => {
                self.suspend(false);
                Worker::Claims { claim, is_suspended: true }
            }
            Worker::Claims { claim, is_suspended } => {
                let count = self.random.usize(0..claim.room + 4);
                self.claimed += count;
                self.fixture.answer(claim, count, is_suspended);
                if self.is_stopping {
                    self.fixture.lane.release_waiting();
                }
                Worker::Yields
            }
            Worker::Yields => Worker::Ready(Report { yields: Yields::Done, ..Report::default() }),
            Worker::Parked if self.fixture.is_called() => Worker::Ready(Report::default()),
            Worker::Parked => Worker::Parked,
            Worker::Ended => Worker::Ended,
        }
    }

    fn take_step(&mut self, report: Report) -> Worker {
        self.is_reinforced = false;
        let is_stopping = self.is_stopping && !mem::take(&mut self.is_late);
        match self.fixture.lane.next(report, is_stopping) {
            NextStep::Run(job) => {
                job.start();
                Worker::Runs { job, is_suspended: false }
            }
            NextStep::Settle(batch) => Worker::Settles { batch, is_suspended: false },
            NextStep::Claim(claim) => Worker::Claims { claim, is_suspended: false },
            NextStep::Yield => Worker::Yields,
            NextStep::Park => Worker::Parked,
            NextStep::Leave => Worker::Ended,
        }
    }

    fn suspend(&mut self, runs_a_job: bool) {
        if self.fixture.lane.suspend(runs_a_job, self.is_stopping) {
            self.start_worker();
        }
    }

    fn start_worker(&mut self) {
        self.workers.push(Worker::Ready(Report::default()));
    }

    fn settle(&mut self, batch: Vec<Finished>) {
        for finished in &batch {
            *self.settled.entry(finished.job().lease().job).or_default() += 1;
        }
        self.fixture.lane.remove(batch);
        self.fixture.lane.end_settlement();
    }

    fn watch(&mut self) {
        let lane = &self.fixture.lane;
        if !self.is_stopping {
            lane.release_surplus(self.fixture.clock.now(), PATIENCE);
        }
        let calls = lane.unparked.available_permits();
        let rescue = lane.rescue(&mut self.progress, self.is_stopping);
        if rescue.needs_worker || lane.unparked.available_permits() > calls {
            assert!(!self.is_reinforced, "one worker is called until it has come");
            self.is_reinforced = true;
        }
        if rescue.needs_worker {
            self.start_worker();
        }
        self.take_settlement(rescue.finished);
    }

    fn take_settlement(&mut self, batch: Vec<Finished>) {
        if !batch.is_empty() {
            assert!(self.settlement.is_none(), "one settlement is under way");
            self.settlement = Some(batch);
        }
    }

    /// Ends the settlement of a task that is no worker, which then settles the results that have gathered.
    fn continue_settlement(&mut self) {
        if let Some(batch) = self.settlement.take() {
            self.settle(batch);
            self.take_settlement(self.fixture.lane.begin_settlement());
        }
    }

    fn stop(&mut self) {
        self.is_stopping = true;
        self.is_late = self.random.bool();
        self.fixture.lane.close();
        self.fixture.lane.release_waiting();
        self.take_settlement(self.fixture.lane.begin_settlement());
        self.check();
    }

    fn count(&self, is_meant: impl Fn(&Worker) -> bool) -> usize {
        self.workers.iter().filter(|worker| is_meant(worker)).count()
    }

    /// Compares the lane with its workers, and checks its invariants.
    #[track_caller]
    fn check(&self) {
        let claims = self.count(|worker| matches!(worker, Worker::Claims { .. }));
        let settlements = self.count(|worker| matches!(worker, Worker::Settles { .. }));
        let running = self.count(|worker| match worker {
            Worker::Runs { .. } => true,
            Worker::Ready(report) => report.finished.is_some(),
            _ => false,
        });
        let active = self.count(|worker| match worker {
            Worker::Ready(report) => !report.was_suspended,
            Worker::Runs { is_suspended, .. }
            | Worker::Settles { is_suspended, .. }
            | Worker::Claims { is_suspended, .. } => !is_suspended,
            Worker::Yields => true,
            Worker::Parked | Worker::Ended => false,
        });
        // A suspended worker that continues: the lane counts it once it asks for its next step.
        let continues =
            self.count(|worker| matches!(worker, Worker::Ready(report) if report.was_suspended)) > 0;
        let called = self.fixture.lane.unparked.available_permits();
        let parked = self.count(|worker| matches!(worker, Worker::Parked));
        let state = self.fixture.lane.lock();

        assert!(running <= self.share, "{running} of {} run", self.share);
        assert_eq!(state.running, running);
        assert!(claims <= 1, "{claims} claims");
        assert_eq!(state.claimer.is_none(), claims == 1);
        let settlements = settlements + usize::from(self.settlement.is_some());
        assert!(settlements <= 1, "{settlements} settlements");
        assert_eq!(state.is_settling, settlements == 1);
        assert_eq!(state.active, active + called, "active workers, and called ones");
        assert_eq!(state.parked + called, parked);
        if !self.is_stopping {
            let is_busy =
                state.active > 0 || running == self.share || (claims == 1 && state.waiting.is_empty());
            assert!(is_busy || continues, "no worker is busy: {state:?}");
        }
        let are_left = state.active == 0 && !state.is_settling && !state.finished.is_empty();
        assert!(!are_left || continues, "results are left behind: {state:?}");
        assert_eq!(state.in_flight.iter().count(), self.claimed - self.settled.len());
        assert!(self.settled.values().all(|count| *count == 1), "a job was settled twice");
    }
}

#[test]
fn the_invariants_hold_after_each_step() {
    for seed in 0..100 {
        let mut walk = Walk::new(seed);
        for _ in 0..300 {
            walk.step();
        }
        let is_at_work = walk.settled.len();
        assert!(is_at_work > 10, "seed {seed}: {is_at_work} jobs were settled");

        walk.stop();
        for _ in 0..1_000 {
            walk.step();
        }

        assert_eq!(
            walk.count(|worker| !matches!(worker, Worker::Ended)),
            0,
            "seed {seed}: all workers have ended"
        );
        assert_eq!(walk.settled.len(), walk.claimed, "seed {seed}: all jobs are settled");
        assert!(walk.fixture.lane.is_empty());
        assert!(!walk.fixture.lane.is_active(), "seed {seed}: a worker is counted that does not exist");
    }
}
