//! Reads the history.

use std::time::Duration;

use queue_core::admin::{HistoryRequest, HistoryRow};
use queue_core::backend::Tally;
use queue_core::{JobName, QueueError, QueueName};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::queue::PostgresQueue;
use crate::rows;

/// Returns the rows of a request.
pub(crate) async fn history(
    postgres: &PostgresQueue,
    request: &HistoryRequest,
) -> Result<Vec<HistoryRow>, QueueError> {
    let (minutes, step) = (request.minutes(), request.step_micros());
    let queue = request.queue.as_ref().map(|queue| queue.as_str().to_owned());
    let name = request.name.as_ref().map(|name| name.as_str().to_owned());
    let rows = postgres.run_on_admin_connection(move |connection, sql| {
        let history = sql.history.query().bind(minutes.start.as_micros()).bind(minutes.end.as_micros());
        let history = history.bind(step).bind(queue.clone()).bind(name.clone());
        Box::pin(async move { history.fetch_all(connection).await?.iter().map(row).collect() })
    });
    rows.await
}

fn row(row: &PgRow) -> sqlx::Result<HistoryRow> {
    let (queue, name) =
        (QueueName::new(row.try_get::<&str, _>(1)?), JobName::new(row.try_get::<&str, _>(2)?));
    let [completed, failed, discarded, micros] = [3, 4, 5, 6].map(|column| rows::read_u64(row, column));
    let tally = Tally::new(completed?, failed?, discarded?, Duration::from_micros(micros?));
    Ok(HistoryRow::new(rows::timestamp(row, 0)?, queue, name, tally))
}
