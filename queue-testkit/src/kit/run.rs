//! Runs of a kit: one job, all jobs that are due, or the jobs of a span of time.

use std::time::{Duration, Instant};

use queue_core::Timestamp;

use super::clock::Pace;
use super::error::listed;
use super::records::{NextEvent, Ticks};
use super::{KitError, TestKit, readable};
use crate::report::{AttemptReport, Run};

/// How long the kit waits, in real time, before it claims a locked job again.
const LOCKED_RETRY: Duration = Duration::from_millis(2);

impl TestKit {
    /// Runs the next job that is ready. Returns `None` if there is none.
    ///
    /// # Errors
    ///
    /// If the queue refuses an operation permanently, or if the job or the queue does not end its work within the kit's
    /// [patience](super::TestKitBuilder::patience).
    pub async fn step(&self) -> Result<Option<AttemptReport>, KitError> {
        self.watched(self.next_attempt()).await
    }

    /// Runs jobs and moves the clock to the next due job, until no job is due within the horizon.
    ///
    /// It does not wait for the next tick of a schedule, since schedules never end. [`run_for`](Self::run_for) does.
    ///
    /// # Errors
    ///
    /// If the queue refuses an operation permanently, a job's name is unknown to the kit, the limit of attempts is reached, for
    /// example by an endless chain of jobs, or the kit's [patience](super::TestKitBuilder::patience) ends: because a job does
    /// not end, the queue does not answer, or the next due job is too far ahead for a kit that can't move the time.
    pub async fn run_until_idle(&self) -> Result<Run, KitError> {
        let end = self.now().saturating_add(self.horizon);
        self.run_to(end, Until::Idle).await
    }

    /// Runs the jobs that become due within `time`, and leaves the clock at its end.
    ///
    /// # Errors
    ///
    /// Those of [`run_until_idle`](Self::run_until_idle), apart from an unknown name: such a job waits and is claimed again, as in
    /// production.
    pub async fn run_for(&self, time: Duration) -> Result<Run, KitError> {
        let end = self.now().saturating_add(time);
        self.run_to(end, Until::End).await
    }

    /// Moves the clock without running anything. If the kit can't move the queue's time, it waits for real.
    ///
    /// # Panics
    ///
    /// If the clock of the store can't be set.
    pub async fn advance(&self, by: Duration) {
        self.clock.pass(by).await;
        readable(self.queue.store().sync().await);
    }

    async fn run_to(&self, end: Timestamp, until: Until) -> Result<Run, KitError> {
        let first = self.progress().attempts.len();
        let mut locked_since = None;
        loop {
            if let Some(report) = self.step().await? {
                locked_since = None;
                if until == Until::Idle && report.is_of_unknown_job() {
                    return Err(KitError::Unknown { name: report.facts.name });
                }
                let ran = self.progress().attempts.len() - first;
                let waiting = if ran >= self.limit { self.waiting().await? } else { Vec::new() };
                if waiting.iter().any(|job| job.run_at <= end) {
                    return Err(KitError::endless(ran, &waiting));
                }
                continue;
            }
            match self.next_event(until).await? {
                NextEvent::At(due) if due <= end => self.wait_until(due).await?,
                NextEvent::Now => self.wait_for_lock(&mut locked_since).await?,
                NextEvent::At(_) | NextEvent::Never => break,
            }
        }
        if until == Until::End {
            self.wait_until(end).await?;
        }
        let attempts = self.progress().attempts.get(first..).map(<[_]>::to_vec).unwrap_or_default();
        Ok(Run::new(attempts, self.waiting().await?))
    }

    async fn next_event(&self, until: Until) -> Result<NextEvent, KitError> {
        let ticks = if until == Until::Idle { Ticks::Left } else { Ticks::Awaited };
        let read = || self.queue.store().next_event(self.now(), ticks);
        self.watched(self.retry_transient("list the jobs", read)).await
    }

    /// Moves the clock to an instant, or waits for it if the kit can't move it.
    async fn wait_until(&self, due: Timestamp) -> Result<(), KitError> {
        let wait = due.since(self.now());
        if self.clock.pace() == Pace::Machine && wait > self.patience {
            return Err(KitError::RealTime { wait });
        }
        self.clock.pass(wait).await;
        Ok(())
    }

    /// Waits for real before the next claim of jobs that are ready. The first claim follows at once, because the last one may
    /// have been lost with a crash.
    async fn wait_for_lock(&self, since: &mut Option<Instant>) -> Result<(), KitError> {
        let Some(since) = *since else {
            *since = Some(Instant::now());
            return Ok(());
        };
        if since.elapsed() > self.patience {
            let waiting = listed(&self.waiting().await?);
            return Err(KitError::Locked { patience: self.patience, waiting });
        }
        self.aside.sleep(LOCKED_RETRY).await;
        Ok(())
    }
}

/// When a run ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// When no job is due any more.
    Idle,
    /// At a fixed time.
    End,
}
