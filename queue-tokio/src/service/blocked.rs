//! Settlements that an open transaction of an application holds up: they are sent again, apart from the others.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_queue::SegQueue;
use queue_core::Settled;
use tokio::sync::Notify;

use super::ended::{Ended, EndedAttempts};
use super::shift::Shift;

/// How long the loop waits before it sends them again. The wait doubles while none of them applies.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The attempts whose settlements were answered [`Settled::Blocked`]. Their jobs stay in hand, so their leases are renewed.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    attempts: SegQueue<Ended>,
    added: Notify,
}

impl Blocked {
    /// Takes the blocked ones out of a batch that was answered, and their answers.
    pub(super) fn take_from(&self, batch: &mut Vec<Ended>, settled: &mut Vec<Settled>) {
        let mut answers = settled.iter();
        let is_blocked = |_: &mut Ended| answers.next() == Some(&Settled::Blocked);
        batch.extract_if(.., is_blocked).for_each(|ended| self.attempts.push(ended));
        settled.retain(|answer| *answer != Settled::Blocked);
        self.added.notify_one();
    }

    fn take_batch(&self) -> Vec<Ended> {
        std::iter::from_fn(|| self.attempts.pop()).take(EndedAttempts::BATCH).collect()
    }
}

impl Shift {
    /// Settles blocked attempts again until they apply or the loop is over.
    pub(super) async fn settle_blocked(self: Arc<Self>) {
        loop {
            tokio::select! {
                biased;
                () = self.over.cancelled() => return,
                () = self.blocked.added.notified() => {}
            }
            let mut pause = FIRST_PAUSE;
            while !self.blocked.attempts.is_empty() {
                tokio::select! {
                    biased;
                    () = self.over.cancelled() => return,
                    () = self.runtime.sleep(pause) => {}
                }
                let batch = self.blocked.take_batch();
                let count = batch.len();
                tokio::select! {
                    biased;
                    () = self.over.cancelled() => return,
                    () = self.settle_again(batch) => {}
                }
                let are_all_left = self.blocked.attempts.len() >= count;
                pause = if are_all_left { (pause * 2).min(LONGEST_PAUSE) } else { FIRST_PAUSE };
            }
        }
    }

    /// Sends them once more. What the queue refuses or can't answer goes the way of every other attempt.
    async fn settle_again(&self, mut batch: Vec<Ended>) {
        match self.settle(&batch).await {
            Ok(settled) => self.let_go(&mut batch, settled),
            Err(_) => {
                batch.iter().for_each(|ended| ended.held.repeat_settlement());
                batch.into_iter().for_each(|ended| self.ended.push(ended));
                self.ended.ring();
            }
        }
    }
}
