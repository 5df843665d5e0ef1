//! The wait until no unfinished job matches a filter, over any queue.

use std::future::Future;
use std::time::Duration;

use queue_core::admin::{Filter, PageRequest, Sort};
use queue_core::backend::PollPauses;
use queue_core::{Admin, JobRecord, QueueError, QueueErrorKind, State, Tick};
use tokio::time::{Instant, sleep_until};

/// The pauses between two polls: the first and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const MAX_PAUSE: Duration = Duration::from_millis(250);

/// A pause is at least this many times as long as the poll before it, so that polls are a small part of the store's load.
const PAUSE_PER_POLL: u32 = 20;

/// Waits until jobs have ended. It is implemented for every [`Admin`].
pub trait IdleExt: Admin {
    /// Waits until no unfinished job matches the filter: none is scheduled, available, executing or retryable.
    ///
    /// It returns at once if there is none. It runs no jobs, so a worker must run them meanwhile; a job of a paused queue, or one
    /// that is scheduled for next week, keeps the queue busy. A [tick](Tick) of a schedule that is not due does not. New jobs may have been pushed by the time the caller continues. The
    /// wait polls the store, every 250 ms after a while. An outage of the store does not end the wait before the timeout.
    ///
    /// It needs a Tokio runtime with timers. For a [`MemoryQueue`](crate::MemoryQueue), [`idle`](crate::MemoryQueue::idle) waits
    /// without polls.
    ///
    /// ```
    /// # use queue_core::{background_job, jobs, QueueExt as _};
    /// use std::time::Duration;
    ///
    /// use queue_core::admin::Filter;
    /// use queue_tokio::IdleExt as _;
    /// # use queue_tokio::{MemoryQueue, QueueService};
    /// # #[background_job(queue = "mail")]
    /// # async fn greet(name: &str) { println!("hello, {name}"); }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// # let queue = MemoryQueue::new();
    /// queue.enqueue(greet::new("world")).await?;
    /// let service = QueueService::new(queue.clone(), jobs![greet]).queues(["mail"]);
    ///
    /// let mails = Filter::all().queue("mail");
    /// let idle = async { queue.wait_until_idle(&mails, Duration::from_secs(60)).await.expect("the mails are sent") };
    /// service.run_until(idle).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `TimedOut` if an unfinished job still matches at the timeout: the error names the job that became ready first. If a poll
    /// fails, a permanent error is returned at once, and a transient one only at the timeout.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time.
    fn wait_until_idle(
        &self,
        filter: &Filter,
        timeout: Duration,
    ) -> impl Future<Output = Result<(), QueueError>> + Send {
        wait_until_idle(self, filter, timeout)
    }

    /// Returns a job for which [`wait_until_idle`](Self::wait_until_idle) waits: an unfinished one that matches and is no tick that
    /// is not due.
    ///
    /// It reads one job. If that is such a tick, it also reads the number of jobs of each queue, and one job of each queue with
    /// unfinished jobs until it finds one.
    ///
    /// # Errors
    ///
    /// Those of [`Admin::list`] and [`Admin::summary`].
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time.
    fn unfinished_job(
        &self,
        filter: &Filter,
    ) -> impl Future<Output = Result<Option<JobRecord>, QueueError>> + Send {
        unfinished_job(self, filter)
    }
}

impl<Q: Admin + ?Sized> IdleExt for Q {}

async fn wait_until_idle<Q: Admin + ?Sized>(
    queue: &Q,
    filter: &Filter,
    timeout: Duration,
) -> Result<(), QueueError> {
    let began = Instant::now();
    let deadline = began.checked_add(timeout);
    let mut pauses = PollPauses::new(FIRST_PAUSE, MAX_PAUSE);
    loop {
        let polled = Instant::now();
        let is_last = deadline.is_some_and(|deadline| polled >= deadline);
        match unfinished_job(queue, filter).await {
            Ok(None) => return Ok(()),
            Ok(Some(job)) if is_last => return Err(timed_out(&job, timeout)),
            Ok(Some(_)) => {}
            Err(error) if error.is_transient() && !is_last => {}
            Err(error) => return Err(error),
        }
        let now = Instant::now();
        let next = now + pauses.next_pause().max((now - polled).saturating_mul(PAUSE_PER_POLL));
        sleep_until(deadline.map_or(next, |deadline| deadline.min(next))).await;
    }
}

async fn unfinished_job<Q: Admin + ?Sized>(
    queue: &Q,
    filter: &Filter,
) -> Result<Option<JobRecord>, QueueError> {
    let first = first_job(queue, filter).await?;
    if !first.as_ref().is_some_and(waits_for_its_tick) {
        return Ok(first);
    }
    // The other ticks are not due either, since the first one comes first. There may be many of them, so other queues are asked for
    // their jobs.
    for summary in queue.summary().await? {
        let is_other = filter.queue.as_ref().is_none_or(|queue| *queue == summary.queue);
        let unfinished = State::ALL.into_iter().filter(|state| !state.is_finished());
        let is_busy = unfinished.into_iter().any(|state| summary.of(state).jobs > 0);
        if is_other && is_busy && !Tick::waits_in(&summary.queue) {
            let job = first_job(queue, &filter.clone().queue(summary.queue)).await?;
            if job.is_some() {
                return Ok(job);
            }
        }
    }
    Ok(None)
}

/// Returns the unfinished job that is or was ready first.
async fn first_job<Q: Admin + ?Sized>(queue: &Q, filter: &Filter) -> Result<Option<JobRecord>, QueueError> {
    Ok(queue.list(filter, &PageRequest::first(1).sort(Sort::RunAt)).await?.jobs.pop())
}

fn waits_for_its_tick(job: &JobRecord) -> bool {
    matches!(job.state, State::Scheduled | State::Retryable) && Tick::waits_in(&job.queue)
}

fn timed_out(job: &JobRecord, timeout: Duration) -> QueueError {
    let text = format!("after {timeout:?}, job {} (`{}`) is still {}", job.id, job.name, job.state);
    QueueError::new(QueueErrorKind::TimedOut, text).on_queue(job.queue.clone())
}
