//! The calls that wait for the end of jobs: the reader thread polls for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use queue_core::backend::{PollPauses, Reply};
use queue_core::{Clock, JobId, QueueError, State, Timestamp};
use rusqlite::{Connection, OptionalExtension as _};

use crate::rows;
use crate::sql;

/// The pause between two polls: the first one after a call began to wait, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const MAX_PAUSE: Duration = Duration::from_millis(50);

/// A call that waits until one of its jobs has ended or is gone, or until an instant.
pub(crate) struct EndWait {
    pub(super) ids: Vec<JobId>,
    pub(super) until: Timestamp,
    pub(super) reply: Reply<()>,
}

impl EndWait {
    fn is_over(&self, connection: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
        Ok(self.until <= now || any_ended(connection, &self.ids, now)?)
    }
}

/// All calls that wait for the end of jobs. They share the polls.
pub(super) struct EndWaits {
    waits: Vec<EndWait>,
    /// When the next poll is due.
    next: Instant,
    pauses: PollPauses,
    clock: Arc<dyn Clock>,
}

impl EndWaits {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let pauses = PollPauses::new(FIRST_PAUSE, MAX_PAUSE);
        Self { waits: Vec::new(), next: Instant::now(), pauses, clock }
    }

    /// Returns how long to pause before the next poll, or `None` if no call waits.
    pub(super) fn pause(&self) -> Option<Duration> {
        (!self.waits.is_empty()).then(|| self.next.saturating_duration_since(Instant::now()))
    }

    /// Adds a call. The next poll is due at once.
    pub(super) fn push(&mut self, wait: EndWait) {
        self.waits.push(wait);
        self.next = Instant::now();
        self.pauses.restart();
    }

    /// Answers the calls whose wait is over, if a poll is due. `read` runs a query in a transaction.
    pub(super) fn poll_if_due<R>(&mut self, read: R)
    where
        R: FnOnce(&dyn Fn(&Connection) -> Polled) -> Result<Vec<bool>, QueueError>,
    {
        self.waits.retain(|wait| !wait.reply.is_closed());
        if self.pause() != Some(Duration::ZERO) {
            return;
        }
        let (now, waits) = (self.clock.now(), &self.waits);
        let polled = read(&|connection| waits.iter().map(|wait| wait.is_over(connection, now)).collect());
        match polled {
            Ok(over) => {
                let mut over = over.into_iter();
                for wait in self.waits.extract_if(.., |_| over.next() == Some(true)) {
                    wait.reply.send(Ok(()));
                }
            }
            Err(error) => self.waits.drain(..).for_each(|wait| wait.reply.send(Err(error.clone()))),
        }
        self.next = Instant::now() + self.pauses.next_pause();
    }
}

/// For each call, whether its wait is over.
pub(super) type Polled = rusqlite::Result<Vec<bool>>;

/// Returns whether one of these jobs has ended at `now`, or is gone.
fn any_ended(connection: &Connection, ids: &[JobId], now: Timestamp) -> rusqlite::Result<bool> {
    let mut find = connection.prepare_cached(sql::STATE)?;
    for id in ids {
        let state = find.query_row([rows::id_bytes(*id)], |row| {
            let state = rows::state(row, 0)?;
            let expired = row.get::<_, Option<i64>>(1)?.is_some_and(|at| Timestamp::from_micros(at) <= now);
            let is_lost = state == State::Executing && expired;
            Ok(if is_lost { State::after_expiry(row.get(2)?, row.get(3)?, row.get(4)?) } else { state })
        });
        if state.optional()?.is_none_or(State::is_finished) {
            return Ok(true);
        }
    }
    Ok(false)
}
