//! Reads the limits of a queue: see `sql/limits.rs`.

use queue_core::QueueName;
use queue_core::admin::LimitRecord;
use rusqlite::{Connection, Result};

use crate::rows;
use crate::sql::limits::LIMITS;

/// Returns the limits of a queue, in the order of their scopes.
pub(crate) fn limits(connection: &Connection, queue: &QueueName) -> Result<Vec<LimitRecord>> {
    let mut records: Vec<LimitRecord> = Vec::new();
    let mut select = connection.prepare_cached(LIMITS)?;
    let mut stored = select.query([queue.as_str()])?;
    while let Some(row) = stored.next()? {
        let scope = rows::scope(row, 0)?;
        let is_known = records.last().is_some_and(|last| last.scope == scope);
        if !is_known {
            records.push(LimitRecord::new(scope, None, None));
        }
        if let Some(record) = records.last_mut() {
            let limit = Some(rows::limit(row, 3)?);
            *(if row.get(2)? { &mut record.set } else { &mut record.declared }) = limit;
        }
    }
    Ok(records)
}
