//! The claims: one task, which brings jobs for as many workers as are free.

use std::sync::Arc;

use queue_core::{Delivery, Demand, Event};

use super::pace::Pace;
use super::rotation::Rotation;
use super::run::give_way;
use super::shift::Shift;
use super::trouble::Trouble;

/// What only the task that claims needs.
pub(super) struct Claims {
    rotation: Rotation,
    trouble: Trouble,
    pace: Pace,
}

impl Claims {
    pub(super) fn new(rotation: Rotation, seed: u64) -> Self {
        Self { rotation, trouble: Trouble::with("claim", seed), pace: Pace::default() }
    }
}

impl Shift {
    /// Claims whenever a worker is free, until the loop stops.
    ///
    /// It is no worker itself, so that a job which holds its thread doesn't keep it from claiming on another. One that enqueues
    /// to a queue in memory and then holds its thread may: tokio keeps a task that is woken for the thread that woke it.
    pub(super) async fn claim_all(self: &Arc<Self>) {
        // Whoever stops the loop waits for this, so that nothing comes to hand once the buffer was given back.
        let mut claims = self.claims.lock().await;
        let claiming = async {
            loop {
                while self.hand.open() >= self.settings.concurrency {
                    self.hungry.notified().await;
                }
                let deliveries = self.claim(&mut claims).await;
                if deliveries.is_empty() {
                    // A queue that answers so although it was to wait must not keep the thread from everyone else.
                    give_way().await;
                }
                self.take_in(deliveries);
            }
        };
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => {}
            () = claiming => {}
        }
    }

    /// Claims as many jobs as there are free workers, and perhaps some ahead, for as long as it takes.
    async fn claim(&self, claims: &mut Claims) -> Vec<Delivery> {
        let concurrency = self.settings.concurrency;
        loop {
            let free = concurrency.saturating_sub(self.hand.open()).max(1);
            let began = self.runtime.now();
            let ahead = self.settings.prefetch.unwrap_or_else(|| claims.pace.ahead(concurrency, began));
            let mut demand = Demand::of(claims.rotation.next(), free.saturating_add(ahead));
            demand.lease = self.settings.lease;
            match self.queue.claim(&demand).await {
                Ok(deliveries) => {
                    claims.trouble.worked(&self.world);
                    claims.pace.note(demand.max, deliveries.len(), began, self.runtime.now());
                    return deliveries;
                }
                Err(error) => {
                    let wait = claims.trouble.failed(&error, &self.world);
                    self.runtime.sleep(wait).await;
                }
            }
        }
    }

    fn take_in(self: &Arc<Self>, deliveries: Vec<Delivery>) {
        if deliveries.is_empty() {
            return;
        }
        let is_one = deliveries.len() == 1;
        let taken = self.hand.take(deliveries, &self.performer, self.runtime.now());
        for held in &taken {
            self.observe(|| Event::Claimed(held.facts()));
        }
        let is_surplus = self.hand.open() > self.settings.concurrency;
        for held in taken {
            self.buffer.push(held);
        }
        if is_surplus {
            self.surplus.notify_one();
        }
        if is_one {
            self.call();
        } else {
            self.call_two();
        }
        // Whoever stops the loop empties the buffer; what came after that is given back here.
        if self.is_stopping() {
            self.release_buffer();
        }
    }
}
