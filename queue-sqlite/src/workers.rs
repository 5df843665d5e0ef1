//! Reads the announcements of workers.

use queue_core::Timestamp;
use queue_core::admin::WorkerRecord;
use queue_core::backend::AnnouncementReader;
use rusqlite::{Connection, Result, Row};

use crate::rows;
use crate::sql::workers::WORKERS;

/// Returns the workers to list at `now`.
pub(crate) fn workers(
    connection: &Connection,
    reader: &AnnouncementReader,
    now: Timestamp,
) -> Result<Vec<WorkerRecord>> {
    let mut announced = connection.prepare_cached(WORKERS)?;
    let read = |row: &Row<'_>| {
        let seen_at = rows::timestamp(row, 1)?;
        Ok(reader.read(row.get_ref(0)?.as_str()?).map(|announcement| (announcement, seen_at)))
    };
    let announced = announced.query_map([], read)?.collect::<Result<Vec<_>>>()?;
    Ok(WorkerRecord::list(announced.into_iter().flatten(), now))
}
