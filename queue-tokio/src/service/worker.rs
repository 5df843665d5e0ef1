//! A worker: a task that takes its steps from a lane.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use queue_core::{Delivery, Event, InterruptReason, Timestamp, Transition};

use super::finished::Finished;
use super::job::InFlightJob;
use super::lane::{Claim, Lane, NextStep, Report, Yields};
use super::shared::Shared;

/// Starts a worker of a lane. The lane has counted it as active.
pub(super) fn start(shared: &Arc<Shared>, lane: usize) {
    let worker = LaneWorker { shared: shared.clone(), lane, turn: Turn::default() };
    shared.tasks().spawn("worker", worker.run());
}

struct LaneWorker {
    shared: Arc<Shared>,
    lane: usize,
    turn: Turn,
}

/// The jobs that a worker has run since it last let other tasks run.
#[derive(Default)]
struct Turn {
    jobs: u32,
    began: Option<Timestamp>,
}

impl Turn {
    const MAX_JOBS: u32 = 64;
    const MAX_LENGTH: Duration = Duration::from_millis(1);

    /// Counts a job. Returns whether the turn is over.
    fn is_over(&mut self, job_started_at: Timestamp) -> bool {
        self.jobs += 1;
        let began = *self.began.get_or_insert(job_started_at);
        self.jobs >= Self::MAX_JOBS || job_started_at.since(began) >= Self::MAX_LENGTH
    }
}

impl LaneWorker {
    async fn run(mut self) {
        let mut report = Report::default();
        loop {
            let step = self.lane().next(mem::take(&mut report), self.is_stopping());
            self.shared.shutdown().note_change();
            match step {
                NextStep::Run(job) => report = self.run_job(job).await,
                NextStep::Yield => {
                    self.let_others_run().await;
                    report.yields = Yields::Done;
                }
                NextStep::Settle(batch) => {
                    let settlement = self.shared.settle(self.lane(), batch);
                    ((), report.was_suspended) = self.lend_lane(false, settlement).await;
                }
                NextStep::Claim(claim) => self.claim(claim).await,
                NextStep::Park => self.lane().parked().await,
                NextStep::Leave => return,
            }
        }
    }

    fn lane(&self) -> &Lane {
        self.shared.lane(self.lane)
    }

    fn is_stopping(&self) -> bool {
        self.shared.shutdown().is_stopping()
    }

    /// Waits for `work`. If it is not ready at once, another worker continues with the lane. Returns whether that is so.
    async fn lend_lane<T>(&self, runs_a_job: bool, work: impl Future<Output = T>) -> (T, bool) {
        let mut work = pin!(work);
        let mut was_suspended = false;
        let answer = poll_fn(|cx| {
            let poll = work.as_mut().poll(cx);
            if poll.is_pending() && !mem::replace(&mut was_suspended, true) {
                let needs_worker = self.lane().suspend(runs_a_job, self.is_stopping());
                if needs_worker {
                    start(&self.shared, self.lane);
                }
            }
            poll
        })
        .await;
        (answer, was_suspended)
    }

    async fn run_job(&mut self, job: Arc<InFlightJob>) -> Report {
        // The job may have been cancelled or its lease lost while it waited here, or the loop asked to stop.
        let transition = match job.interrupt_reason() {
            None if self.is_stopping() => Transition::Release,
            None => return self.attempt(job).await,
            Some(InterruptReason::Cancelled(reason)) => Transition::Cancel { reason: reason.clone() },
            Some(InterruptReason::Shutdown | InterruptReason::LeaseLost) => Transition::Release,
        };
        Report { finished: Some(Finished::unrun(job, transition)), ..Report::default() }
    }

    async fn attempt(&mut self, job: Arc<InFlightJob>) -> Report {
        let started_at = job.start();
        let (result, was_suspended) = {
            let mut attempt = pin!(self.shared.runner().run(job.attempt()));
            let watched = poll_fn(|cx| {
                job.note_poll();
                let poll = attempt.as_mut().poll(cx);
                job.note_poll();
                poll
            });
            self.lend_lane(true, watched).await
        };
        let yields = if self.turn.is_over(started_at) { Yields::Now } else { Yields::IfAsked };
        Report { finished: Some(Finished::of(job, result)), was_suspended, yields }
    }

    async fn claim(&mut self, claim: Claim) {
        let Claim { mut claimer, room, has_suspended } = claim;
        let (client, shutdown) = (self.shared.client(), self.shared.shutdown());
        let claiming = claimer.claim(room, has_suspended, client, shutdown);
        let (deliveries, was_suspended) = self.lend_lane(false, claiming).await;
        let jobs = self.jobs_of(deliveries);
        self.lane().accept(jobs, claimer, was_suspended);
        self.shared.renewer().wake();
        self.shared.watchdog().wake();
        if self.is_stopping() {
            self.lane().release_waiting();
        }
        self.shared.shutdown().note_change();
        // A claim or a settlement may have woken a task that tokio keeps for this thread alone. A job that holds the thread would
        // hold up that task as well.
        self.let_others_run().await;
    }

    fn jobs_of(&self, deliveries: Vec<Delivery>) -> Vec<Arc<InFlightJob>> {
        if deliveries.is_empty() {
            return Vec::new();
        }
        let client = self.shared.client();
        let jobs = self.lane().jobs_of(deliveries, self.shared.runner(), client.now());
        for job in &jobs {
            client.observe(|| Event::Claimed(job.facts()));
        }
        jobs
    }

    /// Yields the thread once to its other tasks.
    async fn let_others_run(&mut self) {
        self.turn = Turn::default();
        let mut has_yielded = false;
        poll_fn(|cx| {
            if mem::replace(&mut has_yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}
