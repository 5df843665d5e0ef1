//! Renewals. Each has a connection of its own while it runs, so that it waits for the server alone.
//!
//! # Tasks and shared state
//!
//! A renewal runs on the caller's task of the I/O thread, not on a task that batches. [`RenewConnections`] keeps up to two
//! idle connections behind a mutex, which is never held across an `await`. No task is woken.
//!
//! # Races
//!
//! Two connections may ask for the same renewal, one of them over a dead connection. The first success is the answer. A
//! renewal may run twice, which only sets a later expiry.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use queue_core::backend::to_i64;
use queue_core::{Heartbeat, JobProgress, QueueError, Renewal, Timestamp};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row as _};
use tokio::time::sleep;
use uuid::Uuid;

use crate::columns::micros;
use crate::connection::{CallError, Op, ReconnectingConnection};
use crate::error::is_untranslatable;
use crate::rows::timestamp;
use crate::shared::Shared;
use crate::storable::storable_text;

/// The number of idle connections that are kept: one to renew over, and one in reserve.
const MAX_IDLE: usize = 2;

/// If a renewal has not answered for this part of the shortest lease, it is sent over another connection too. That leaves
/// time for the answer and for the next renewal.
const HEDGE_FRACTION: u32 = 6;

/// The least wait before that, but no more than a third of the lease.
const MIN_HEDGE_DELAY: Duration = Duration::from_millis(250);

/// The least time that a renewal may take: a late renewal is better than none.
const MIN_TIMEOUT: Duration = Duration::from_secs(5);

/// The connections of renewals.
pub(crate) struct RenewConnections {
    shared: Arc<Shared>,
    idle: Mutex<Vec<ReconnectingConnection>>,
}

impl RenewConnections {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, idle: Mutex::default() }
    }

    /// Renews leases, and returns an answer for each.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connections that are in use.
    pub(crate) async fn renew(&self, heartbeats: &[Heartbeat]) -> Result<Vec<Renewal>, QueueError> {
        let (columns, indexes) = RenewColumns::of(heartbeats);
        let shortest = heartbeats.iter().map(|heartbeat| heartbeat.lease.length).min().unwrap_or_default();
        let renewals = match self.send(&columns, shortest, false).await {
            Err(error) if is_untranslatable(&error) => self.send(&columns, shortest, true).await?,
            answer => answer?,
        };
        Ok(indexes.into_iter().filter_map(|index| renewals.get(index).cloned()).collect())
    }

    /// Renews the leases of `columns`. With `ascii_only`, notes are written in ASCII, because the database's encoding lacks one of
    /// their characters.
    async fn send(
        &self,
        columns: &RenewColumns,
        shortest: Duration,
        ascii_only: bool,
    ) -> Result<Vec<Renewal>, QueueError> {
        let (renew, columns) = (self.shared.sql.renew.clone(), columns.clone());
        let count = columns.ids.len();
        self.call(shortest, &move |connection| {
            let renew = columns.clone().bind(renew.query(), ascii_only);
            Box::pin(async move { renewals_from_rows(&renew.fetch_all(connection).await?, count) })
        })
        .await
    }

    /// Sends a renewal, and sends it over another connection too if the first one has not answered for a part of the
    /// shortest lease.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the connections that are in use.
    async fn call<T>(&self, shortest: Duration, op: Op<'_, T>) -> Result<T, QueueError> {
        let bound = (shortest / 2).max(MIN_TIMEOUT).min(self.shared.target.timeout);
        let first = pin!(self.call_within(bound, op));
        let answer = match select(first, pin!(sleep(hedge_delay(shortest)))).await {
            Either::Left((answer, _)) if !matches!(&answer, Err(failed) if failed.outcome_unknown) => answer,
            Either::Left(_) => self.call_within(bound, op).await,
            Either::Right(((), first)) => {
                tracing::debug!(database = %self.shared.target, "a renewal is sent over another connection too");
                let second = pin!(self.call_within(bound, op));
                match select(first, second).await {
                    Either::Left((Ok(answer), _)) | Either::Right((Ok(answer), _)) => Ok(answer),
                    Either::Left((Err(_), second)) => second.await,
                    Either::Right((Err(_), first)) => first.await,
                }
            }
        };
        answer.map_err(|failed| failed.error)
    }

    async fn call_within<T>(&self, bound: Duration, op: Op<'_, T>) -> Result<T, CallError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = idle.unwrap_or_else(|| self.shared.connection());
        let answer = connection.call_within(bound, op).await;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE && answer.is_ok() {
            idle.push(connection);
        }
        answer
    }
}

/// The arguments of the statement `renew`.
#[derive(Clone, Default)]
struct RenewColumns {
    ids: Vec<Uuid>,
    fences: Vec<i64>,
    lengths: Vec<i64>,
    progress: Vec<Option<JobProgress>>,
}

impl RenewColumns {
    /// Returns the columns, with each lease once, even if the caller passes it several times, and for each heartbeat the index of
    /// its lease in them.
    fn of(heartbeats: &[Heartbeat]) -> (Self, Vec<usize>) {
        let (mut columns, mut indexes) = (Self::default(), Vec::with_capacity(heartbeats.len()));
        let mut index_of = HashMap::new();
        for Heartbeat { lease, progress, .. } in heartbeats {
            let index = *index_of.entry((lease.job, lease.fence)).or_insert_with(|| {
                columns.ids.push(lease.job.as_uuid());
                columns.fences.push(to_i64(lease.fence.0));
                columns.lengths.push(micros(lease.length));
                columns.progress.push(None);
                columns.ids.len() - 1
            });
            if let (Some(latest), Some(progress)) = (columns.progress.get_mut(index), progress) {
                *latest = Some(progress.clone());
            }
            indexes.push(index);
        }
        (columns, indexes)
    }

    fn bind(
        self,
        query: Query<'static, Postgres, PgArguments>,
        ascii_only: bool,
    ) -> Query<'static, Postgres, PgArguments> {
        let query = query.bind(self.ids).bind(self.fences).bind(self.lengths);
        if self.progress.iter().all(Option::is_none) {
            return query.bind(None::<Vec<i16>>).bind(None::<Vec<String>>);
        }
        let percent = |progress: &Option<JobProgress>| progress.as_ref().map(|it| i16::from(it.percent()));
        let note =
            |progress: &Option<JobProgress>| progress.as_ref().map(|it| storable_text(it.note(), ascii_only));
        let percents: Vec<_> = self.progress.iter().map(percent).collect();
        query.bind(percents).bind(self.progress.iter().map(note).collect::<Vec<_>>())
    }
}

/// Reads the rows that `renew` returns: one for each lease that is held.
fn renewals_from_rows(rows: &[PgRow], count: usize) -> sqlx::Result<Vec<Renewal>> {
    let mut renewals = vec![Renewal::Lost; count];
    for row in rows {
        let index: i32 = row.try_get(0)?;
        let (expires_at, cancel): (Timestamp, _) = (timestamp(row, 1)?, row.try_get(2)?);
        if let Some(renewal) = usize::try_from(index).ok().and_then(|index| renewals.get_mut(index)) {
            *renewal = Renewal::held(expires_at, cancel);
        }
    }
    Ok(renewals)
}

/// Returns how long a renewal waits for one connection before it is sent over another one too.
fn hedge_delay(shortest: Duration) -> Duration {
    (shortest / HEDGE_FRACTION).max(MIN_HEDGE_DELAY.min(shortest / 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// D27
    #[test]
    fn a_renewal_uses_another_connection_after_a_part_of_the_lease() {
        let table = [(30_000, 5_000), (3_000, 500), (1_000, 250), (300, 100), (0, 0)];

        for (lease, expected) in table {
            assert_eq!(
                hedge_delay(Duration::from_millis(lease)),
                Duration::from_millis(expected),
                "{lease} ms"
            );
        }
        assert!(hedge_delay(Duration::MAX) < Duration::MAX);
    }
}
