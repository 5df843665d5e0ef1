//! The announcements of workers.

use queue_core::admin::WorkerRecord;
use queue_core::backend::AnnouncementReader;
use queue_core::{Announcement, QueueError, Timestamp};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, Row as _};

use crate::columns::micros;
use crate::queue::PostgresQueue;
use crate::rows;

impl PostgresQueue {
    pub(crate) async fn store_announcement(&self, announcement: &Announcement) -> Result<(), QueueError> {
        let (worker, valid_for) = (announcement.worker.as_str().to_owned(), micros(announcement.valid_for));
        let details = announcement.encode();
        self.run_on_admin_connection(move |connection, sql| {
            let announce = sql.announce.query().bind(worker.clone()).bind(valid_for).bind(details.clone());
            Box::pin(async move { announce.execute(connection).await.map(drop) })
        })
        .await
    }
}

/// Returns the workers to list.
pub(crate) async fn workers(
    connection: &mut PgConnection,
    query: Query<'_, Postgres, PgArguments>,
    reader: &AnnouncementReader,
) -> sqlx::Result<Vec<WorkerRecord>> {
    let rows = query.fetch_all(connection).await?;
    let now = rows.first().map_or(Ok(Timestamp::EPOCH), |row| rows::timestamp(row, 2))?;
    let read = |row: &PgRow| {
        let seen_at = rows::timestamp(row, 1)?;
        Ok(reader.read(row.try_get(0)?).map(|announcement| (announcement, seen_at)))
    };
    let announced = rows.iter().map(read).collect::<sqlx::Result<Vec<_>>>()?;
    Ok(WorkerRecord::list(announced.into_iter().flatten(), now))
}
