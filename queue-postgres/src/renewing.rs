//! Renewals. Each has a connection of its own while it runs, so that it waits for the server alone.
//!
//! # Tasks and shared state
//!
//! A renewal runs on the caller's task of the I/O thread, not on a task that batches. [`Renewals`] keeps up to two idle
//! connections behind a mutex, which is never held across an `await`. No task is woken.
//!
//! # Races
//!
//! Two connections may ask for the same renewal, one of them over a dead connection. The first success is the answer. A
//! renewal may run twice, which only sets a later expiry.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use queue_core::QueueError;
use tokio::time::sleep;

use crate::link::{Ask, Link, Unanswered};
use crate::place::Place;

/// The number of idle connections that are kept: one to renew over, and one in reserve.
const KEPT: usize = 2;

/// If a renewal has not answered for this part of the shortest lease, it is sent over another connection too. That leaves
/// time for the answer and for the next renewal.
const PATIENCES_IN_A_LEASE: u32 = 6;

/// The least wait before that, but no more than a third of the lease.
const SHORT_PATIENCE: Duration = Duration::from_millis(250);

/// The least time that a renewal may take: a late renewal is better than none.
const LEAST_BOUND: Duration = Duration::from_secs(5);

pub(crate) struct Renewals {
    place: Arc<Place>,
    idle: Mutex<Vec<Link>>,
}

impl Renewals {
    pub(crate) fn new(place: Arc<Place>) -> Self {
        Self { place, idle: Mutex::default() }
    }

    /// Sends a renewal, and sends it over another connection too if the first one has not answered for a part of the
    /// shortest lease.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connections that are in use.
    pub(crate) async fn call<T>(&self, shortest: Duration, ask: Ask<'_, T>) -> Result<T, QueueError> {
        let patience = patience(shortest);
        let bound = (shortest / 2).max(LEAST_BOUND).min(self.place.timeout);
        let first = pin!(self.try_call(bound, ask));
        let answer = match select(first, pin!(sleep(patience))).await {
            Either::Left((answer, _)) if !matches!(&answer, Err(unanswered) if unanswered.is_in_doubt) => {
                answer
            }
            Either::Left(_) => self.try_call(bound, ask).await,
            Either::Right(((), first)) => {
                tracing::debug!(place = %self.place, "a renewal is sent over another connection too");
                let second = pin!(self.try_call(bound, ask));
                match select(first, second).await {
                    Either::Left((Ok(answer), _)) | Either::Right((Ok(answer), _)) => Ok(answer),
                    Either::Left((Err(_), second)) => second.await,
                    Either::Right((Err(_), first)) => first.await,
                }
            }
        };
        answer.map_err(|unanswered| unanswered.error)
    }

    async fn try_call<T>(&self, bound: Duration, ask: Ask<'_, T>) -> Result<T, Unanswered> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut link = idle.unwrap_or_else(|| Link::new(self.place.clone()));
        let answer = link.try_call_within(bound, ask).await;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT && answer.is_ok() {
            idle.push(link);
        }
        answer
    }
}

/// Returns how long a renewal waits for one connection before it is sent over another one too.
fn patience(shortest: Duration) -> Duration {
    (shortest / PATIENCES_IN_A_LEASE).max(SHORT_PATIENCE.min(shortest / 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// D27
    #[test]
    fn a_renewal_uses_another_connection_after_a_part_of_the_lease() {
        let table = [(30_000, 5_000), (3_000, 500), (1_000, 250), (300, 100), (0, 0)];

        for (lease, expected) in table {
            assert_eq!(patience(Duration::from_millis(lease)), Duration::from_millis(expected), "{lease} ms");
        }
        assert!(patience(Duration::MAX) < Duration::MAX);
    }
}
