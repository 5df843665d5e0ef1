//! The claims: one task, which brings jobs for as many workers as are free.

use std::sync::Arc;
use std::time::Duration;

use queue_core::backend::error_chain;
use queue_core::{Delivery, Demand, Event, QueueError};

use super::pace::Pace;
use super::rotation::Rotation;
use super::run::give_way;
use super::settings::Settings;
use super::shift::Shift;
use super::trouble::Trouble;

/// A claim waits for a job for at most this long, and is then repeated: an answer that got lost costs a worker no more.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// The time within which a backend answers once the wait of a claim is over.
const ANSWER: Duration = Duration::from_secs(60);

/// The time within which a claim answers after its stop signal. The loop releases what the claim has leased by then.
const END: Duration = Duration::from_secs(10);

/// The same for a backend that does not listen to the stop signal: time for an answer that is on its way.
const END_UNHEARD: Duration = Duration::from_millis(250);

/// A claim asks for at most this many jobs.
const MOST: usize = 10_000;

/// What only the task that claims needs.
pub(super) struct Claims {
    rotation: Rotation,
    trouble: Trouble,
    pace: Pace,
}

impl Claims {
    pub(super) fn new(settings: &Settings, rotation: Rotation, seed: u64) -> Self {
        Self { rotation, trouble: Trouble::with(&settings.name, "claim", seed), pace: Pace::default() }
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
        while !self.is_stopping() {
            if self.hand.open() >= self.settings.concurrency {
                tokio::select! {
                    biased;
                    () = self.hungry.notified() => {}
                    () = self.stopping.fired() => {}
                }
                continue;
            }
            // A stop ends the claim itself, which then answers: dropped here, it might leave a lease behind.
            let deliveries = self.claim(&mut claims).await;
            if deliveries.is_empty() {
                // A queue that answers so although it was to wait must not keep the thread from everyone else.
                give_way().await;
            }
            self.take_in(deliveries);
        }
    }

    /// Claims as many jobs as there are free workers, and perhaps some ahead. Returns none if the loop stops meanwhile.
    async fn claim(&self, claims: &mut Claims) -> Vec<Delivery> {
        let concurrency = self.settings.concurrency;
        loop {
            let free = concurrency.saturating_sub(self.hand.open()).max(1);
            let began = self.runtime.now();
            let ahead = self.settings.prefetch.unwrap_or_else(|| claims.pace.ahead(concurrency, began));
            let most = free.saturating_add(ahead).min(MOST);
            let demand = Demand::of(claims.rotation.next(), most).wait(LONGEST_WAIT).stop(&self.stopping);
            let demand = demand.lease(self.settings.lease);
            match self.answer_of_claim(&demand).await {
                Ok(deliveries) => {
                    claims.trouble.worked(&self.environment);
                    claims.pace.note(demand.max, deliveries.len(), began, self.runtime.now());
                    return deliveries;
                }
                Err(error) => {
                    if self.is_stopping() {
                        if error.is_transient() && self.stopping.has_listener() {
                            tracing::warn!(
                                service = self.settings.name, error = %error_chain(&error),
                                "the last claim failed; what it may have leased is released by the queue, or expires"
                            );
                        }
                        return Vec::new();
                    }
                    let wait = claims.trouble.failed(&error, &self.environment);
                    tokio::select! {
                        biased;
                        () = self.runtime.sleep(wait) => {}
                        () = self.stopping.fired() => return Vec::new(),
                    }
                }
            }
        }
    }

    /// Claims, and drops the claim if it does not answer in time.
    async fn answer_of_claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let overdue = async {
            tokio::select! {
                biased;
                () = self.runtime.sleep(LONGEST_WAIT.saturating_add(ANSWER)) => {}
                () = self.stopping.fired() => {
                    let end = if self.stopping.has_listener() { END } else { END_UNHEARD };
                    self.runtime.sleep(end).await;
                }
            }
        };
        tokio::select! {
            biased;
            answer = self.queue.claim(demand) => answer,
            () = overdue => Err(QueueError::unavailable("the queue did not answer in time")),
        }
    }

    fn take_in(self: &Arc<Self>, deliveries: Vec<Delivery>) {
        if deliveries.is_empty() {
            return;
        }
        let is_one = deliveries.len() == 1;
        let taken = self.hand.take(deliveries, &self.runner, self.runtime.now());
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
