//! Reads the announcements of workers.

use queue_core::admin::WorkerRecord;
use queue_core::{Announcement, Timestamp};
use rusqlite::{Connection, Result, Row};

use crate::rows;
use crate::sql::workers::WORKERS;

/// Returns the workers to list at `now`.
pub(crate) fn workers(connection: &Connection, now: Timestamp) -> Result<Vec<WorkerRecord>> {
    let mut announced = connection.prepare_cached(WORKERS)?;
    let announced = announced.query_map([], announcement)?.collect::<Result<Vec<_>>>()?;
    Ok(WorkerRecord::list(announced.into_iter().flatten(), now))
}

/// Reads an announcement and its instant. An announcement that this program cannot read, such as a newer program's, is not listed.
fn announcement(row: &Row<'_>) -> Result<Option<(Announcement, Timestamp)>> {
    let seen_at = rows::timestamp(row, 1)?;
    Ok(Announcement::decode(row.get_ref(0)?.as_str()?).ok().map(|announcement| (announcement, seen_at)))
}
