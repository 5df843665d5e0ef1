//! The claims that wait, and the timers and polls that wake the writer for them.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use queue_core::backend::Waiters;
use queue_core::{Clock, Timestamp};
use rusqlite::Connection;

use super::deadline::Deadline;
use crate::files::Files;
use crate::table;

/// The poll interval for a short time after a push in an application's transaction, which is about to commit.
const FAST_POLL_INTERVAL: Duration = Duration::from_millis(1);
/// How long after such a push the writer polls at that interval.
const FAST_POLL_DURATION: Duration = Duration::from_millis(200);

/// The claims that wait.
pub(super) struct WaitingClaims {
    pub(super) claims: Waiters<Deadline>,
    clock: Arc<dyn Clock>,
    /// The timer until the next job is due, the next lease expires, or a limit lets a job start.
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
            claims: Waiters::default(),
            clock,
            wakeup: None,
            is_due: false,
            poll_interval,
            data_version: None,
            fast_poll_until: None,
        }
    }

    /// Polls more often for a short time.
    pub(super) fn poll_faster(&mut self) {
        self.fast_poll_until = Instant::now().checked_add(FAST_POLL_DURATION);
    }

    /// Polls the timers once, so that waits end even while the writer is never idle.
    ///
    /// Timers of this thread fire only while it polls them, and `wait_for_work` does that only when there is no message.
    pub(super) async fn poll_timers(&mut self) {
        if self.claims.iter().any(|claim| claim.deadline.is_running()) {
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

    /// Sets the timer until the next change by time alone, if a claim waits.
    pub(super) fn schedule_wakeup(&mut self, connection: &Connection) {
        self.wakeup = None;
        self.is_due = false;
        if self.claims.is_empty() {
            return;
        }
        // If that can't be read, the timer is the longest one.
        let due = self.next_change(connection).unwrap_or(Some(Timestamp::MAX));
        let wait = self.claims.next_wakeup(self.clock.now(), due);
        self.wakeup = wait.map(|wait| self.clock.sleep(wait));
    }

    /// Returns when the next job is due, the next lease expires, or a limit lets a job start for which a claim waits.
    fn next_change(&self, connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
        let (mut next, any_shared) = table::next_due(connection)?;
        if any_shared {
            let queues: BTreeSet<_> = self.claims.queues().collect();
            for queue in queues {
                next = next.into_iter().chain(table::next_start(connection, queue)?).min();
            }
        }
        Ok(next)
    }

    /// Waits until a job is due, a lease expires, a limit lets a job start, the wait of a claim ends, another connection has committed, or the files were
    /// replaced. Waits forever if there is no claim.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time.
    pub(super) async fn wait_for_work(&mut self, connection: &Connection, files: &Files) {
        if self.claims.is_empty() {
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
        for claim in self.claims.iter_mut() {
            is_now |= claim.deadline.poll(cx);
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
