//! The workers: each takes the next job from the buffer, and waits for a call when there is none.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use queue_core::{AttemptResult, InterruptReason, Settlement, Timestamp, Transition};

use super::ended::Ended;
use super::held::Held;
use super::shift::Shift;

/// What a worker runs before it lets others have the thread, if none of its jobs does.
#[derive(Default)]
struct Turn {
    jobs: usize,
    /// When its last job began.
    began: Option<Timestamp>,
}

impl Turn {
    const JOBS: usize = 64;

    /// After a job that took so long, what has ended doesn't wait for the next one.
    const LONG: Duration = Duration::from_millis(1);

    /// Notes when the next job begins, and tells whether the one before took long.
    fn was_long(&mut self, begins: Timestamp) -> bool {
        self.began.replace(begins).is_some_and(|began| begins.since(began) > Self::LONG)
    }

    /// Counts a job, and tells whether the turn is over; then another begins.
    fn is_over(&mut self) -> bool {
        self.jobs = (self.jobs + 1) % Self::JOBS;
        self.jobs == 0
    }
}

impl Shift {
    /// Calls a worker to the buffer: one that waits, or else one more if there may be.
    ///
    /// If all are at work, whoever is done first looks there anyway.
    pub(super) fn call(self: &Arc<Self>) {
        if self.take_waiting() {
            self.filled.notify_one();
            return;
        }
        let one_more = |workers| (workers < self.settings.concurrency).then_some(workers + 1);
        if self.workers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_ok() {
            let shift = self.clone();
            self.spawn("worker", async move { shift.work().await });
        }
    }

    /// Counts one of those out who wait for a call.
    fn take_waiting(&self) -> bool {
        let one_less = |waiting: usize| waiting.checked_sub(1);
        self.waiting.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
    }

    /// Calls two: a scheduler may keep the task that was called last for this thread alone, whose next job may hold it; the
    /// first is free to go elsewhere then.
    pub(super) fn call_two(self: &Arc<Self>) {
        self.call();
        self.call();
    }

    async fn work(self: Arc<Self>) {
        let mut has_come = true;
        let mut turn = Turn::default();
        while !self.is_stopping() {
            if has_come {
                self.is_called.store(false, Ordering::SeqCst);
            }
            let Some(held) = self.buffered() else {
                has_come = self.wait_for_call().await;
                turn = Turn::default();
                continue;
            };
            if self.buffer.is_empty() || self.settings.prefetch.is_some() {
                // The job may take long, and what has ended before must not wait for it. While more wait, a worker that is
                // free comes to the last of them soon; where more were claimed than that, by its own pace, the loop looks.
                self.settle_first().await;
            }
            if !self.buffer.is_empty()
                && std::mem::take(&mut has_come)
                && !self.is_called.swap(true, Ordering::SeqCst)
            {
                // Of those who come, one after the other calls more while jobs are left: jobs that hold their threads hold
                // up no others.
                self.call_two();
            }
            has_come = false;
            if turn.was_long(held.start()) {
                self.settle_first().await;
            }
            self.perform(held).await;
            if turn.is_over() {
                self.ended.ring();
                give_way().await;
            }
        }
        self.ended.ring();
        self.workers.fetch_sub(1, Ordering::SeqCst);
    }

    /// Has what has ended settled before this worker goes on.
    async fn settle_first(&self) {
        if self.ended.ring() {
            // The settling may have been woken for this thread alone.
            give_way().await;
        }
    }

    /// Waits until somebody calls, or the loop stops; `false` if there was no need to.
    async fn wait_for_call(&self) -> bool {
        let mut called = pin!(self.filled.notified());
        // From here on, each call is for somebody who waits: none is lost.
        called.as_mut().enable();
        self.waiting.fetch_add(1, Ordering::SeqCst);
        // Whoever filled the buffer before that has seen nobody wait.
        let is_needed = !self.buffer.is_empty() || self.is_stopping();
        if is_needed && self.take_waiting() {
            return false;
        }
        self.ended.ring();
        self.hungry.notify_one();
        called.await;
        true
    }

    /// Takes a job that waits for a worker.
    pub(super) fn buffered(&self) -> Option<Arc<Held>> {
        if self.is_stopping() { None } else { self.buffer.pop() }
    }

    /// Gives the jobs that wait for a worker back, unworked.
    pub(super) fn release_buffer(&self) {
        while let Some(held) = self.buffer.pop() {
            self.end(held, Transition::Release);
        }
        self.ended.ring();
    }

    async fn perform(self: &Arc<Self>, held: Arc<Held>) {
        // It may have been lost or cancelled while it waited here, or the loop told to stop.
        let transition = match held.interrupted() {
            None if self.is_stopping() => Transition::Release,
            None => return self.hand_over_when_suspended(self.attempt(held)).await,
            Some(InterruptReason::Cancelled(reason)) => Transition::Cancel { reason: reason.clone() },
            Some(InterruptReason::Shutdown | InterruptReason::LeaseLost) => Transition::Release,
        };
        self.end(held, transition);
    }

    /// Leaves the buffer to another worker as soon as an attempt has to wait for something.
    async fn hand_over_when_suspended(self: &Arc<Self>, attempt: impl Future<Output = ()>) {
        let mut attempt = pin!(attempt);
        let mut is_first = true;
        poll_fn(|cx| {
            let poll = attempt.as_mut().poll(cx);
            if poll.is_pending() && std::mem::take(&mut is_first) {
                self.ended.ring();
                if !self.buffer.is_empty() {
                    self.call();
                }
            }
            poll
        })
        .await;
    }

    async fn attempt(&self, held: Arc<Held>) {
        let attempted = self.runner.run(&held.attempt).await;
        self.hand.end(&held);
        let AttemptResult { settlement, is_recorded, .. } = attempted;
        self.ended.push(Ended { settlement, is_recorded, held });
    }

    /// Ends a job that was not worked on.
    pub(super) fn end(&self, held: Arc<Held>, transition: Transition) {
        self.hand.end(&held);
        let settlement = Settlement::new(held.lease().clone(), transition);
        self.ended.push(Ended { settlement, is_recorded: false, held });
    }
}

/// Lets other tasks have the thread once.
pub(super) async fn give_way() {
    let mut gave_way = false;
    poll_fn(|cx| {
        if gave_way {
            return Poll::Ready(());
        }
        gave_way = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
