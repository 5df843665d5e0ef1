//! The claims that wait, in the order of their arrival, and the timers and polls that wake the writer for them.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use queue_core::{Clock, QueueName};
use rusqlite::Connection;

use super::message::WaitingClaim;
use crate::files::Files;
use crate::table::{self, Table};

/// The longest timer. After it, the writer reads the wall clock again, so it notices within this time that the clock was set.
const MAX_TIMER: Duration = Duration::from_secs(30);

/// The poll interval for a short time after a push in an application's transaction, which is about to commit.
const FAST_POLL_INTERVAL: Duration = Duration::from_millis(1);
/// How long after such a push the writer polls at that interval.
const FAST_POLL_DURATION: Duration = Duration::from_millis(200);

/// The claims that wait.
pub(super) struct WaitingClaims {
    clock: Arc<dyn Clock>,
    claims: VecDeque<WaitingClaim>,
    /// The timer until the next job is due or the next lease expires.
    wakeup: Option<BoxFuture<'static, ()>>,
    /// Whether that timer has fired.
    is_due: bool,
    poll_interval: Duration,
    /// SQLite's `data_version` at the last poll. It changes with every commit of another connection. `None` makes the next
    /// poll report a change.
    data_version: Option<i64>,
    /// Until when the writer polls at [`FAST_POLL_INTERVAL`].
    fast_poll_until: Option<Instant>,
}

impl WaitingClaims {
    pub(super) fn new(clock: Arc<dyn Clock>, poll_interval: Duration) -> Self {
        Self {
            clock,
            claims: VecDeque::new(),
            wakeup: None,
            is_due: false,
            poll_interval,
            data_version: None,
            fast_poll_until: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Adds a claim behind the others.
    pub(super) fn push(&mut self, claim: WaitingClaim) {
        self.claims.push_back(claim);
    }

    /// Puts a claim back in front of the others.
    pub(super) fn push_front(&mut self, claim: WaitingClaim) {
        self.claims.push_front(claim);
    }

    /// Removes and returns all claims.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = WaitingClaim> {
        std::mem::take(&mut self.claims).into_iter()
    }

    /// Polls more often for a short time.
    pub(super) fn poll_faster(&mut self) {
        self.fast_poll_until = Instant::now().checked_add(FAST_POLL_DURATION);
    }

    /// Removes the claims whose futures were dropped.
    pub(super) fn drop_cancelled(&mut self) {
        self.claims.retain(|claim| !claim.reply.is_closed());
    }

    /// Returns whether `is_ready` holds for any queue that a claim names.
    pub(super) fn any_queue<E>(
        &self,
        mut is_ready: impl FnMut(&QueueName) -> Result<bool, E>,
    ) -> Result<bool, E> {
        for queue in self.claims.iter().flat_map(|claim| &claim.demand.queues) {
            if is_ready(queue)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Leases jobs to the claims, first come, first served. Adds those that it served, with their deliveries, to `served`.
    ///
    /// Every transaction tries all claims: a job for them may come from this transaction or from another process. An attempt
    /// that finds no job takes a few microseconds.
    pub(super) fn serve(
        &mut self,
        table: &mut Table<'_>,
        served: &mut Vec<(WaitingClaim, Vec<queue_core::Delivery>)>,
    ) -> rusqlite::Result<()> {
        let mut unserved = VecDeque::new();
        let mut result = Ok(());
        while let Some(claim) = self.claims.pop_front() {
            let is_gone = claim.reply.is_closed() || claim.demand.is_stopped();
            match if is_gone { Ok(Vec::new()) } else { table.claim(&claim.demand) } {
                Ok(deliveries) if deliveries.is_empty() => unserved.push_back(claim),
                Ok(deliveries) => served.push((claim, deliveries)),
                Err(error) => {
                    unserved.push_back(claim);
                    result = Err(error);
                    break;
                }
            }
        }
        // After an error, the claims that were not tried keep their order behind the others.
        unserved.append(&mut self.claims);
        self.claims = unserved;
        result
    }

    /// Removes and returns the claims whose wait has ended.
    pub(super) fn take_timed_out(&mut self) -> Vec<WaitingClaim> {
        let (timed_out, waiting) =
            std::mem::take(&mut self.claims).into_iter().partition(|claim| claim.timed_out);
        self.claims = waiting;
        Vec::from(timed_out)
    }

    /// Polls the timers once, so that waits end even while the writer is never idle.
    ///
    /// Timers of this thread fire only while it polls them, and `wait_for_work` does that only when there is no message.
    pub(super) async fn poll_timers(&mut self) {
        if self.claims.iter().any(|claim| claim.deadline.is_some()) {
            // Lets the runtime of this thread fire its timers.
            tokio::task::yield_now().await;
            poll_fn(|cx| {
                let _: Poll<()> = self.poll(cx);
                Poll::Ready(())
            })
            .await;
        }
    }

    /// Causes the next poll to report a change, whether or not the file has changed.
    pub(super) fn force_poll(&mut self) {
        self.data_version = None;
    }

    /// Sets the timer until the next job is due or the next lease expires, if a claim waits.
    pub(super) fn schedule_wakeup(&mut self, connection: &Connection) {
        self.wakeup = None;
        self.is_due = false;
        if self.is_empty() {
            return;
        }
        // If that can't be read, the timer is the longest one.
        let due = table::next_due(connection).unwrap_or(Some(self.clock.now().saturating_add(MAX_TIMER)));
        self.wakeup = due.map(|due| self.clock.sleep(due.since(self.clock.now()).min(MAX_TIMER)));
    }

    /// Waits until a job is due, a lease expires, the wait of a claim ends, another connection has committed, or the files were
    /// replaced. Waits forever if there is no claim.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time.
    pub(super) async fn wait_for_work(&mut self, connection: &Connection, files: &Files) {
        if self.is_empty() {
            return std::future::pending().await;
        }
        loop {
            let interval = self.next_interval();
            tokio::select! {
                biased;
                () = poll_fn(|cx| self.poll(cx)) => return,
                () = tokio::time::sleep(interval) => {}
            }
            if self.has_foreign_commit(connection) || files.check().is_err() {
                return;
            }
        }
    }

    /// Polls the timers. Ready if the wakeup has fired or the wait of a claim has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.wakeup.as_mut().is_some_and(|wakeup| wakeup.as_mut().poll(cx).is_ready()) {
            // `poll_timers` and `wait_for_work` both poll this. The flag keeps the event for the other, and a completed future
            // must not be polled again.
            self.wakeup = None;
            self.is_due = true;
        }
        let mut is_now = self.is_due;
        for claim in &mut self.claims {
            if claim.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready()) {
                claim.deadline = None;
                claim.timed_out = true;
            }
            is_now |= claim.timed_out;
        }
        if is_now { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Returns how long to wait until the next poll.
    fn next_interval(&mut self) -> Duration {
        match self.fast_poll_until {
            Some(until) if Instant::now() < until => FAST_POLL_INTERVAL.min(self.poll_interval),
            _ => {
                self.fast_poll_until = None;
                self.poll_interval
            }
        }
    }

    /// Returns whether another connection has committed since the last call.
    fn has_foreign_commit(&mut self, connection: &Connection) -> bool {
        let version = connection
            .prepare_cached("pragma data_version")
            .and_then(|mut version| version.query_row([], |row| row.get(0)));
        // After an error, the next transaction reports it.
        let version: Option<i64> = version.ok();
        version.is_none() || std::mem::replace(&mut self.data_version, version) != version
    }
}
