//! The claims that wait for jobs, in the order of their arrival.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::reply::{Answer, Reply};
use crate::contract::clock::Timestamp;
use crate::contract::error::QueueError;
use crate::contract::handover::Handover;
use crate::contract::name::QueueName;
use crate::contract::queue::{Delivery, Demand};
use crate::contract::settlement::Settlement;

/// The longest time between two wakeups: 30 s. The backend wakes at least this often, to notice that its clock was changed.
pub const MAX_WAKEUP: Duration = Duration::from_secs(30);

/// A claim that waits for jobs, with the channel to its caller.
///
/// `D` is how the backend measures the end of the wait: a time of its clock, or a timer.
pub struct PendingClaim<D> {
    /// The caller's demand.
    pub demand: Demand,
    /// When the wait ends.
    pub deadline: D,
    reply: Reply<Handover>,
}

impl<D> PendingClaim<D> {
    /// Creates a claim and the answer of its caller. `ended` returns the error of a claim that is dropped unanswered.
    pub fn new(demand: Demand, deadline: D, ended: fn() -> QueueError) -> (Self, Answer<Handover>) {
        let (reply, answer) = Reply::new(ended);
        (Self { demand, deadline, reply }, answer)
    }

    /// Returns whether the claim must not lease jobs anymore: its caller dropped the future, or has stopped the claim.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.reply.is_closed() || self.demand.is_stopped()
    }

    /// Sends the answer to the caller.
    ///
    /// If the caller dropped its future, the handover is dropped here, and releases its jobs.
    pub fn answer(self, answer: Result<Handover, QueueError>) {
        self.reply.send(answer);
    }
}

/// A claim with the jobs that were leased for it. It is answered after the commit.
#[derive(Debug)]
pub struct ServedClaim<D> {
    /// The claim.
    pub claim: PendingClaim<D>,
    /// The jobs; at least one.
    pub deliveries: Vec<Delivery>,
}

impl<D> ServedClaim<D> {
    /// Sends the jobs to the caller. If the caller is gone, `release` gets a `Release` settlement for each job.
    pub fn answer(self, release: impl FnOnce(Vec<Settlement>) + Send + 'static) {
        self.claim.answer(Ok(Handover::new(self.deliveries, release)));
    }
}

/// The claims of one queue that wait for jobs. They are served first come, first served.
///
/// The backend calls this from the one task or thread that leases jobs.
///
/// ```
/// use std::convert::Infallible;
///
/// use queue_core::{Demand, QueueError};
/// use queue_core::backend::{PendingClaim, Waiters};
///
/// let mut waiters = Waiters::default();
/// let ended = || QueueError::unavailable("the store was closed");
/// let (claim, answer) = PendingClaim::new(Demand::new("mail", 10), (), ended);
/// waiters.push(claim);
///
/// let mut served = Vec::new();
/// waiters.serve(&mut served, |_claim| Ok::<_, Infallible>(Vec::new())).unwrap();
/// assert!(served.is_empty()); // the store has no job
/// assert_eq!(waiters.len(), 1);
///
/// waiters.end_waits(|_claim| true);
/// # queue_testkit::block_on(async {
/// assert!(answer.await.unwrap().received().is_empty());
/// # });
/// ```
#[derive(Debug)]
pub struct Waiters<D> {
    claims: VecDeque<PendingClaim<D>>,
    is_closed: bool,
}

impl<D> Waiters<D> {
    /// Returns whether no claim waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Returns the number of claims.
    #[must_use]
    pub fn len(&self) -> usize {
        self.claims.len()
    }

    /// Returns the claims in their order.
    pub fn iter(&self) -> impl Iterator<Item = &PendingClaim<D>> {
        self.claims.iter()
    }

    /// Returns the claims in their order, to set or poll their deadlines.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut PendingClaim<D>> {
        self.claims.iter_mut()
    }

    /// Returns the queues that each claim names, in the order of the claims.
    pub fn queues(&self) -> impl Iterator<Item = &QueueName> {
        self.claims.iter().flat_map(|claim| &claim.demand.queues)
    }

    /// Adds a claim behind the others. Answers it instead if it need not wait: as `Closed` after [`close`](Self::close), or with
    /// no jobs if it was stopped.
    pub fn push(&mut self, claim: PendingClaim<D>) {
        if self.is_closed {
            claim.answer(Err(QueueError::closed()));
        } else if claim.demand.is_stopped() {
            claim.answer(Ok(Handover::nothing()));
        } else {
            self.claims.push_back(claim);
        }
    }

    /// Answers all claims as `Closed`, those that wait and those that follow.
    pub fn close(&mut self) {
        self.is_closed = true;
        self.fail(&QueueError::closed());
    }

    /// Answers all claims that wait with an error.
    pub fn fail(&mut self, error: &QueueError) {
        for claim in self.take_all() {
            claim.answer(Err(error.clone()));
        }
    }

    /// Drops the claims whose callers dropped their futures.
    pub fn drop_cancelled(&mut self) {
        self.claims.retain(|claim| !claim.reply.is_closed());
    }

    /// Removes and returns all claims, in their order.
    pub fn take_all(&mut self) -> Vec<PendingClaim<D>> {
        std::mem::take(&mut self.claims).into()
    }

    /// Removes and returns the claims that `is_wanted` selects, in their order.
    pub fn take_if(&mut self, mut is_wanted: impl FnMut(&PendingClaim<D>) -> bool) -> Vec<PendingClaim<D>> {
        // Mostly there is none, and the others stay in place.
        if !self.claims.iter().any(&mut is_wanted) {
            return Vec::new();
        }
        let (wanted, others) = std::mem::take(&mut self.claims).into_iter().partition(is_wanted);
        self.claims = others;
        wanted.into()
    }

    /// Answers the claims that `is_over` selects with no jobs.
    pub fn end_waits(&mut self, is_over: impl FnMut(&PendingClaim<D>) -> bool) {
        for claim in self.take_if(is_over) {
            claim.answer(Ok(Handover::nothing()));
        }
    }

    /// Calls `lease` for each claim, in their order, and moves the claims that it leased jobs for to `served`.
    ///
    /// # Errors
    ///
    /// The first error of `lease`. The claims that were served before it are in `served`; all others wait, in their order.
    pub fn serve<E>(
        &mut self,
        served: &mut Vec<ServedClaim<D>>,
        mut lease: impl FnMut(&mut PendingClaim<D>) -> Result<Vec<Delivery>, E>,
    ) -> Result<(), E> {
        for untried in (0..self.claims.len()).rev() {
            let Some(mut claim) = self.claims.pop_front() else { break };
            match lease(&mut claim) {
                Ok(deliveries) if deliveries.is_empty() => self.claims.push_back(claim),
                Ok(deliveries) => served.push(ServedClaim { claim, deliveries }),
                Err(error) => {
                    self.claims.push_back(claim);
                    // The claims that were not tried are in front.
                    self.claims.rotate_left(untried);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Puts claims back in front of the others, in their order, after the transaction that served them failed.
    pub fn restore(&mut self, served: Vec<ServedClaim<D>>) {
        served.into_iter().rev().for_each(|served| self.claims.push_front(served.claim));
    }

    /// Returns the time from `now` to the earliest of `times`, at most [`MAX_WAKEUP`]; `None` if there is no time or no waiting
    /// claim.
    pub fn next_wakeup(
        &self,
        now: Timestamp,
        times: impl IntoIterator<Item = Timestamp>,
    ) -> Option<Duration> {
        let first = times.into_iter().min().filter(|_| !self.is_empty())?;
        Some(first.since(now).min(MAX_WAKEUP))
    }
}

impl<D> Default for Waiters<D> {
    fn default() -> Self {
        Self { claims: VecDeque::new(), is_closed: false }
    }
}

impl<D> fmt::Debug for PendingClaim<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingClaim").field("demand", &self.demand).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::{Body, Fence, JobId, JobRecord, Lease, QueueErrorKind, StopSignal, Transition};

    fn ended() -> QueueError {
        QueueError::unavailable("the backend has ended")
    }

    /// Adds a claim of up to `max` jobs, which the tests know it by.
    fn wait(waiters: &mut Waiters<()>, max: usize) -> Answer<Handover> {
        let (claim, answer) = PendingClaim::new(Demand::new("mail", max), (), ended);
        waiters.push(claim);
        answer
    }

    fn delivery() -> Delivery {
        let job = JobRecord::new(JobId::random(), "send_mail".into(), Body::stored("{}"));
        let lease = Lease::new(job.id, Fence(1), Lease::DEFAULT_LENGTH, Timestamp::MAX);
        Delivery::new(job, lease)
    }

    fn order(waiters: &Waiters<()>) -> Vec<usize> {
        waiters.iter().map(|claim| claim.demand.max).collect()
    }

    fn served_by(waiters: &mut Waiters<()>, wanted: &[usize]) -> Vec<ServedClaim<()>> {
        let mut served = Vec::new();
        let lease = |claim: &mut PendingClaim<()>| {
            Ok::<_, ()>(if wanted.contains(&claim.demand.max) { vec![delivery()] } else { Vec::new() })
        };
        waiters.serve(&mut served, lease).expect("no error");
        served
    }

    #[test]
    fn claims_are_tried_in_the_order_of_their_arrival() {
        let mut waiters = Waiters::default();
        let _answers = [1, 2, 3].map(|max| wait(&mut waiters, max));

        let served = served_by(&mut waiters, &[1, 3]);

        let maxima: Vec<_> = served.iter().map(|served| served.claim.demand.max).collect();
        assert_eq!(maxima, [1, 3]);
        assert_eq!(order(&waiters), [2]);
    }

    #[test]
    fn claims_keep_their_order_after_an_error() {
        let mut waiters = Waiters::default();
        let _answers = [1, 2, 3, 4, 5].map(|max| wait(&mut waiters, max));
        let mut served = Vec::new();

        let result = waiters.serve(&mut served, |claim| match claim.demand.max {
            2 => Ok(vec![delivery()]),
            3 => Err("the store failed"),
            _ => Ok(Vec::new()),
        });

        assert_eq!(result, Err("the store failed"));
        assert_eq!(order(&waiters), [1, 3, 4, 5]);
        waiters.restore(served);
        assert_eq!(order(&waiters), [2, 1, 3, 4, 5]);
    }

    #[test]
    fn claims_of_a_failed_transaction_are_first_again() {
        let mut waiters = Waiters::default();
        let _answers = [1, 2, 3].map(|max| wait(&mut waiters, max));

        let served = served_by(&mut waiters, &[1, 2]);
        waiters.restore(served);

        assert_eq!(order(&waiters), [1, 2, 3]);
    }

    #[test]
    fn jobs_that_a_caller_does_not_receive_are_released() {
        let mut waiters = Waiters::default();
        let answer = wait(&mut waiters, 1);
        let (sender, released) = std::sync::mpsc::channel();
        let served = served_by(&mut waiters, &[1]);
        drop(answer);

        for served in served {
            let sender = sender.clone();
            served.answer(move |settlements| sender.send(settlements).expect("the test receives"));
        }

        let settlements = released.try_recv().expect("a release");
        assert!(matches!(settlements.as_slice(), [one] if one.transition == Transition::Release));
    }

    #[test]
    fn a_closed_queue_answers_earlier_and_later_claims() {
        let mut waiters = Waiters::default();
        let early = wait(&mut waiters, 1);

        waiters.close();
        let late = wait(&mut waiters, 2);

        assert!(waiters.is_empty());
        for answer in [early, late] {
            let answer = answer.now_or_never().expect("an answer").map(Handover::received);
            assert_eq!(answer.map_err(|error| error.kind()).err(), Some(QueueErrorKind::Closed));
        }
    }

    #[test]
    fn a_claim_that_was_stopped_before_it_arrived_does_not_wait() {
        let mut waiters = Waiters::default();
        let stop = StopSignal::new();
        stop.fire();

        let (claim, answer) = PendingClaim::new(Demand::new("mail", 1).stop(&stop), (), ended);
        waiters.push(claim);

        assert!(waiters.is_empty());
        let answer = answer.now_or_never().expect("an answer").map(Handover::received);
        assert!(answer.is_ok_and(|deliveries| deliveries.is_empty()));
    }

    #[test]
    fn dropped_and_stopped_claims_are_over() {
        let mut waiters = Waiters::default();
        let stop = StopSignal::new();
        let (stopped, mut answer) = PendingClaim::new(Demand::new("mail", 1).stop(&stop), (), ended);
        waiters.push(stopped);
        drop(wait(&mut waiters, 2));
        let _waiting = wait(&mut waiters, 3);

        stop.fire();

        let over: Vec<_> = waiters.iter().map(PendingClaim::is_over).collect();
        assert_eq!(over, [true, true, false]);
        waiters.drop_cancelled();
        assert_eq!(order(&waiters), [1, 3]);
        assert!((&mut answer).now_or_never().is_none());
    }

    #[test]
    fn selected_claims_leave_the_others_in_order() {
        let mut waiters = Waiters::default();
        let _answers = [1, 2, 3, 4].map(|max| wait(&mut waiters, max));

        let even = waiters.take_if(|claim| claim.demand.max % 2 == 0);
        let none = waiters.take_if(|claim| claim.demand.max > 4);

        assert_eq!(even.iter().map(|claim| claim.demand.max).collect::<Vec<_>>(), [2, 4]);
        assert!(none.is_empty());
        assert_eq!(order(&waiters), [1, 3]);
    }

    #[test]
    fn the_next_wakeup_is_the_first_time_and_at_most_30_s_away() {
        let mut waiters = Waiters::default();
        let now = Timestamp::from_micros(1_000_000);
        let after = |seconds| now.saturating_add(Duration::from_secs(seconds));
        assert_eq!(waiters.next_wakeup(now, [after(1)]), None, "no claim waits");
        let _answer = wait(&mut waiters, 1);

        assert_eq!(waiters.next_wakeup(now, []), None);
        assert_eq!(waiters.next_wakeup(now, [after(5), after(2)]), Some(Duration::from_secs(2)));
        assert_eq!(waiters.next_wakeup(now, [now.saturating_sub(MAX_WAKEUP)]), Some(Duration::ZERO));
        assert_eq!(waiters.next_wakeup(now, [after(3_600)]), Some(MAX_WAKEUP));
    }
}
