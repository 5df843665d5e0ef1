//! The end of a run: first by asking, then by force, and nothing is lost.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use queue_core::{Event, InterruptReason, JobFacts, Settlement, Transition};

use super::ended::Ended;
use super::shift::Shift;

/// How long attempts that were dropped may take to dispose their services.
const DISPOSAL: Duration = Duration::from_secs(5);

/// How long all of that may take beyond the shutdown timeout and the grace.
pub(super) const CLEAN_UP: Duration = Duration::from_secs(30);

/// How long the last settlements may take.
const FLUSH: Duration = Duration::from_secs(10);

/// How long the tasks may take to end. Only a job that holds its thread takes longer than a moment.
const TASKS_END: Duration = Duration::from_secs(1);

impl Shift {
    /// Stops the loop and tells which jobs were cut short.
    ///
    /// 1. Nothing is claimed or begun any more: the claim in flight ends by the stop signal.
    /// 2. Unstarted jobs are released, those too that this last claim brings.
    /// 3. Running jobs have `timeout`; then their tokens fire; after a grace they are dropped and released.
    /// 4. The last settlements are flushed.
    /// 5. All tasks end, so that none of them keeps the queue open.
    ///
    /// Each step has a bound: the last claim ends beside step 3, and all together take at most `timeout`, the grace and
    /// [`CLEAN_UP`].
    pub(super) async fn stop(&self, timeout: Duration) -> Vec<String> {
        self.begin_to_stop();
        self.observe(|| Event::Stopping);
        self.release_buffer();

        // The task that claims holds this until its last claim has been answered, or was given up.
        let last_claim = async { drop(self.claims.lock().await) };
        let ((), cut_short) = join(last_claim, self.end_jobs(timeout)).await;

        self.release_buffer();
        self.flush().await;
        self.over.cancel();
        self.end_tasks().await;
        self.observe(|| Event::Stopped);
        if !cut_short.is_empty() {
            tracing::warn!(
                service = self.settings.name, jobs = %cut_short.join(", "),
                "jobs were cut short by the stop"
            );
        }
        cut_short
    }

    /// Ends the running jobs, first by their tokens, then by force. Returns the names of those that were cut short.
    async fn end_jobs(&self, timeout: Duration) -> Vec<String> {
        let mut cut_short = Vec::new();
        if !self.is_quiet_within(timeout).await {
            self.hand.each(|_, held| {
                if held.is_running() {
                    let JobFacts { id, name, attempt, .. } = held.facts();
                    cut_short.push(format!("{name} ({id}, attempt {attempt})"));
                }
            });
            self.hand.each(|_, held| held.attempt.interrupt().request(InterruptReason::Shutdown));
            if !self.is_quiet_within(self.settings.grace).await {
                self.hand.each(|_, held| held.attempt.interrupt().force(InterruptReason::Shutdown));
                if !self.is_quiet_within(DISPOSAL).await {
                    self.hand_back();
                }
            }
        }
        cut_short
    }

    /// Waits until all tasks have ended.
    async fn end_tasks(&self) {
        self.tasks.close();
        tokio::select! {
            biased;
            () = self.tasks.wait() => {}
            () = self.runtime.sleep(TASKS_END) => {}
        }
    }

    async fn is_quiet_within(&self, limit: Duration) -> bool {
        let quiet = async {
            while self.hand.open() > 0 {
                self.hand.quieter.notified().await;
            }
        };
        tokio::select! {
            biased;
            () = quiet => true,
            () = self.runtime.sleep(limit) => false,
        }
    }

    /// Hands back what can't even be dropped: jobs that hold a thread. Whatever they come to is stale.
    fn hand_back(&self) {
        self.hand.each(|_, held| {
            if !held.has_ended() {
                let settlement = Settlement::new(held.lease().clone(), Transition::Release);
                self.ended.push(Ended { settlement, is_recorded: false, held: held.clone() });
            }
        });
        self.ended.ring();
    }

    /// Waits until everything in hand is settled, or the queue has failed for too long.
    async fn flush(&self) {
        let flushed = async {
            while !self.hand.is_empty() {
                self.hand.quieter.notified().await;
            }
        };
        tokio::select! {
            biased;
            () = flushed => {}
            () = self.runtime.sleep(FLUSH) => {
                tracing::error!(service = self.settings.name, "the last settlements could not be recorded; those leases will expire");
            }
        }
    }
}

/// Ends a run whose owner was dropped without stopping it: nothing new is claimed, and what runs is dropped and handed
/// back by those tasks that are still there.
pub(super) struct EndOnDrop(Arc<Shift>);

impl EndOnDrop {
    pub(super) fn new(shift: Arc<Shift>) -> Self {
        Self(shift)
    }
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        if self.0.over.is_cancelled() {
            return;
        }
        self.0.begin_to_stop();
        self.0.release_buffer();
        self.0.hand.each(|_, held| held.attempt.interrupt().force(InterruptReason::Shutdown));
        let shift = self.0.clone();
        // The renewal has a thread and a runtime of its own: it must end even if this task is never polled.
        let over = self.0.over.clone().drop_guard();
        self.0.runtime.spawn(Box::pin(async move {
            let _over = over;
            drop(shift.claims.lock().await);
            shift.release_buffer();
            if shift.is_quiet_within(DISPOSAL).await {
                shift.flush().await;
            }
        }));
    }
}
