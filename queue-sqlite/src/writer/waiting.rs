//! The claims that wait, in the order in which they came, and the moments at which there may be something for them.

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

/// A stepped wall clock is noticed after so long at the latest.
const MAX_TIMER: Duration = Duration::from_secs(30);

/// How often, and for how long, it's looked for the commit of a transaction that somebody is in the middle of.
const FAST_POLL_INTERVAL: Duration = Duration::from_millis(1);
const FAST_POLL_DURATION: Duration = Duration::from_millis(200);

pub(super) struct WaitingClaims {
    clock: Arc<dyn Clock>,
    claims: VecDeque<WaitingClaim>,
    /// Ends when something is due.
    due: Option<BoxFuture<'static, ()>>,
    /// Something has become due since `due` was set.
    is_due: bool,
    poll_interval: Duration,
    /// The file's version when it was last looked at; it changes with every commit of others.
    data_version: Option<i64>,
    fast_poll_until: Option<Instant>,
}

impl WaitingClaims {
    pub(super) fn new(clock: Arc<dyn Clock>, poll_interval: Duration) -> Self {
        Self {
            clock,
            claims: VecDeque::new(),
            due: None,
            is_due: false,
            poll_interval,
            data_version: None,
            fast_poll_until: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    pub(super) fn push(&mut self, claim: WaitingClaim) {
        self.claims.push_back(claim);
    }

    /// Puts a claim back to where it was: first.
    pub(super) fn push_front(&mut self, claim: WaitingClaim) {
        self.claims.push_front(claim);
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = WaitingClaim> {
        std::mem::take(&mut self.claims).into_iter()
    }

    /// Looks more often for a while.
    pub(super) fn poll_faster(&mut self) {
        self.fast_poll_until = Instant::now().checked_add(FAST_POLL_DURATION);
    }

    /// Drops claims whose futures were dropped.
    pub(super) fn drop_cancelled(&mut self) {
        self.claims.retain(|claim| !claim.reply.is_closed());
    }

    /// Tells whether any queue that is waited for passes.
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

    /// Leases jobs to those who wait, first come, first served. It looks for all of them with each transaction: what they
    /// wait for may come from this one, or from another process, and a look that finds nothing is a few microseconds.
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
        // After an error, whoever was not looked for waits on behind them.
        unserved.append(&mut self.claims);
        self.claims = unserved;
        result
    }

    /// Takes those whose wait is over.
    pub(super) fn take_timed_out(&mut self) -> Vec<WaitingClaim> {
        let (timed_out, waiting) =
            std::mem::take(&mut self.claims).into_iter().partition(|claim| claim.timed_out);
        self.claims = waiting;
        Vec::from(timed_out)
    }

    /// Lets waits end while requests keep coming: time passes for them only where somebody looks.
    pub(super) async fn poll_timers(&mut self) {
        if self.claims.iter().any(|claim| claim.deadline.is_some()) {
            // The timers of this thread's runtime have their turn.
            tokio::task::yield_now().await;
            poll_fn(|cx| {
                let _: Poll<()> = self.poll(cx);
                Poll::Ready(())
            })
            .await;
        }
    }

    /// Has the file looked at once more at the next interval, whether or not it changes until then.
    pub(super) fn force_poll(&mut self) {
        self.data_version = None;
    }

    /// Sets the moment at which time next changes something for those who wait.
    pub(super) fn schedule_wakeup(&mut self, connection: &Connection) {
        self.due = None;
        self.is_due = false;
        if self.is_empty() {
            return;
        }
        // If that can't be read, it's looked again after a while.
        let due = table::next_due(connection).unwrap_or(Some(self.clock.now().saturating_add(MAX_TIMER)));
        self.due = due.map(|due| self.clock.sleep(due.since(self.clock.now()).min(MAX_TIMER)));
    }

    /// Waits for a moment at which there may be something to do: something is due, a wait is over, or another process
    /// has written. Where nobody waits, there is none.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time.
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

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.due.as_mut().is_some_and(|due| due.as_mut().poll(cx).is_ready()) {
            // `let_time_pass` and `moment` both poll: what has ended is not polled again, and neither misses it.
            self.due = None;
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

    fn next_interval(&mut self) -> Duration {
        match self.fast_poll_until {
            Some(until) if Instant::now() < until => FAST_POLL_INTERVAL.min(self.poll_interval),
            _ => {
                self.fast_poll_until = None;
                self.poll_interval
            }
        }
    }

    /// Tells whether another connection has committed since this was last asked.
    fn has_foreign_commit(&mut self, connection: &Connection) -> bool {
        let version = connection
            .prepare_cached("pragma data_version")
            .and_then(|mut version| version.query_row([], |row| row.get(0)));
        // What can't be read is for the next transaction to say.
        let version: Option<i64> = version.ok();
        version.is_none() || std::mem::replace(&mut self.data_version, version) != version
    }
}
