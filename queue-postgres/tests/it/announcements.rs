//! Announcements of workers that this program cannot read.

use queue_core::{Admin as _, Announcement, Queue as _};

use crate::fixture::{TestResult, queue, run};
use crate::logs;

/// Q101: the worker is not listed, the others are, and the log says so once however often the workers are listed.
#[tokio::test]
async fn an_announcement_that_cannot_be_read_is_logged_once() -> TestResult {
    logs::keep();
    let (queue, mut connection, schema) = queue().await?;
    for worker in ["host/1/mail", "host/2/mail"] {
        queue.announce(&Announcement::new(worker.into())).await?;
    }
    run(&mut connection, format!("update {schema}.workers set details = '{{}}' where name = 'host/1/mail'"))
        .await?;

    let listed = [queue.workers().await?, queue.workers().await?];
    queue.summary().await?;

    for workers in listed {
        assert_eq!(workers.iter().map(|worker| worker.worker.as_str()).collect::<Vec<_>>(), ["host/2/mail"]);
    }
    assert_eq!(logs::count(&["the announcement of a worker can't be read"]), 1);
    Ok(())
}
