//! Reads the rows of the function `summary`.

use queue_core::State;
use queue_core::admin::{Count, QueueSummary};
use queue_core::backend::to_u64;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::rows;

/// Reads the rows of `summary`, one for each queue.
pub(crate) fn summaries(rows: &[PgRow], cap: u64) -> sqlx::Result<Vec<QueueSummary>> {
    rows.iter().map(|row| summary(row, cap)).collect()
}

fn summary(row: &PgRow, cap: u64) -> sqlx::Result<QueueSummary> {
    let queue = row.try_get::<&str, _>(0)?.into();
    let mut summary = QueueSummary::new(queue, row.try_get(1)?, rows::timestamp(row, 2)?);
    summary.oldest_ready = rows::optional_timestamp(row, 3)?;
    summary.next_due = rows::optional_timestamp(row, 4)?;
    let is_cut: bool = row.try_get(6)?;
    for (state, found) in State::ALL.into_iter().zip(row.try_get::<Vec<i64>, _>(5)?) {
        let count = Count::up_to(cap, to_u64(found));
        summary.set(state, if is_cut { count.at_least() } else { count });
    }
    Ok(summary)
}
