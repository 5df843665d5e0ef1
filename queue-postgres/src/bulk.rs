//! Changes to all jobs that match a filter.

use queue_core::admin::{Change, Filter};
use queue_core::{JobId, QueueError};
use sqlx::Row as _;
use uuid::Uuid;

use crate::error::{is_notification_queue_full, is_untranslatable};
use crate::notification::NotifyArgs;
use crate::queue::PostgresQueue;
use crate::rows;
use crate::sql::bulk;
use crate::storable::storable_text;

/// Returns the ids of all jobs that match, in push order.
pub(crate) async fn matching(queue: &PostgresQueue, filter: &Filter) -> Result<Vec<JobId>, QueueError> {
    let (text, values) = bulk::matching(filter);
    if values.has_nul() {
        return Ok(Vec::new());
    }
    let matched = queue.run_on_admin_connection(move |connection, sql| {
        let matching = values.bind(sql.writer.statement(&text).query());
        Box::pin(async move {
            let rows = matching.fetch_all(connection).await?;
            rows.iter().map(|row| row.try_get::<Uuid, _>(0).map(JobId::from)).collect()
        })
    });
    match matched.await {
        // No job has a text with characters that the database lacks.
        Err(error) if is_untranslatable(&error) => Ok(Vec::new()),
        matched => matched,
    }
}

/// Changes those of these jobs that match and that allow the change, and returns their number.
pub(crate) async fn change(
    queue: &PostgresQueue,
    ids: &[JobId],
    filter: &Filter,
    change: &Change,
) -> Result<u64, QueueError> {
    let (mut notify, mut ascii_only) = (NotifyArgs::none(), false);
    if *change == Change::Retry {
        notify = queue.shared().notifier.jobs();
    }
    let changed = loop {
        match call(queue, ids, filter, change, &notify, ascii_only).await {
            Err(error) if is_notification_queue_full(&error) && notify.is_some() => {
                queue.shared().notifier.mute();
                notify = NotifyArgs::none();
            }
            // The database lacks characters of the reason, or of the filter, which then matches no job.
            Err(error) if is_untranslatable(&error) && !ascii_only => ascii_only = true,
            Err(error) if is_untranslatable(&error) => break 0,
            changed => break changed?,
        }
    };
    if changed > 0 {
        match change {
            Change::Retry => queue.shared().wake(),
            _ => queue.shared().end_watches.wake(ids.iter().copied()),
        }
    }
    Ok(changed)
}

async fn call(
    queue: &PostgresQueue,
    ids: &[JobId],
    filter: &Filter,
    change: &Change,
    notify: &NotifyArgs,
    ascii_only: bool,
) -> Result<u64, QueueError> {
    let (name, reason) = match change {
        Change::Cancel { reason } => ("cancel", Some(storable_text(reason, ascii_only))),
        Change::Retry => ("retry", None),
        Change::Delete => ("delete", None),
        _ => return Err(change.unsupported()),
    };
    let (text, values) = bulk::change(ids, filter, name, reason);
    if values.has_nul() {
        return Ok(0);
    }
    let notify = notify.clone();
    let call = queue.try_on_admin_connection(false, move |connection, sql| {
        let change = notify.bind(values.bind(sql.writer.statement(&text).query()));
        Box::pin(async move {
            let row = change.fetch_one(connection).await?;
            Ok((rows::read_u64(&row, 0)?, row.try_get::<Option<Vec<String>>, _>(1)?))
        })
    });
    let (changed, discarded) = call.await?;
    queue.shared().report_expired(discarded.as_deref());
    Ok(changed)
}
