//! Stores jobs as they were in another store.

use std::sync::Arc;

use queue_core::admin::Imported;
use queue_core::{JobId, JobRecord, QueueError};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::columns::{Imports, bind_imports};
use crate::error::{is_notification_queue_full, is_untranslatable};
use crate::notification::NotifyArgs;
use crate::queue::PostgresQueue;
use crate::storable::check_storable;

/// Imports a batch. Returns for each job, in order, whether it was stored.
pub(crate) async fn import(queue: &PostgresQueue, jobs: Vec<JobRecord>) -> Result<Vec<Imported>, QueueError> {
    let jobs = queue.intake().imports(jobs)?;
    check_storable(jobs.iter().map(|(job, _)| job))?;
    let jobs: Arc<Imports> = jobs.into();
    let (mut notify, mut ascii_only) = (queue.shared().notifier.jobs(), false);
    let imported = loop {
        match call(queue, &jobs, &notify, ascii_only).await {
            Err(error) if is_notification_queue_full(&error) && notify.is_some() => {
                queue.shared().notifier.mute();
                notify = NotifyArgs::none();
            }
            // The encoding of the database lacks characters of an error, or of the job itself.
            Err(error) if is_untranslatable(&error) && !ascii_only => ascii_only = true,
            imported => break imported?,
        }
    };
    if imported.contains(&Imported::Stored) {
        queue.shared().wake();
    }
    Ok(imported)
}

/// A call that may have been applied is repeated: the jobs that it stored are present then.
async fn call(
    queue: &PostgresQueue,
    jobs: &Arc<Imports>,
    notify: &NotifyArgs,
    ascii_only: bool,
) -> Result<Vec<Imported>, QueueError> {
    let (jobs, notify) = (jobs.clone(), notify.clone());
    queue
        .run_on_admin_connection(move |connection, sql| {
            let import = notify.bind(bind_imports(sql.import.query(), &jobs, ascii_only));
            Box::pin(async move {
                let rows = import.fetch_all(connection).await?;
                rows.iter().map(imported).collect()
            })
        })
        .await
}

fn imported(row: &PgRow) -> sqlx::Result<Imported> {
    let (kind, holder): (i16, Option<Uuid>) = (row.try_get(0)?, row.try_get(1)?);
    Ok(match (kind, holder) {
        (0, _) => Imported::Stored,
        (_, Some(holder)) => Imported::KeyHeld(JobId::from(holder)),
        _ => Imported::Present,
    })
}
