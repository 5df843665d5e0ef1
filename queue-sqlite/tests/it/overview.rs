//! Holds the view `queue_overview` to what `Admin::get` returns.

use std::collections::BTreeSet;
use std::time::Duration;

use queue_core::{
    Admin as _, Demand, Heartbeat, JobId, JobProgress, NewJob, Queue as _, QueueExt as _, Settlement, State,
    StoredResult, Timestamp, Transition,
};
use queue_sqlite::SqliteQueue;
use queue_sqlite::rusqlite::Connection;
use queue_testkit::VirtualClock;

use crate::fixture::{TestResult, work};

const MINUTE: Duration = Duration::from_secs(60);

/// A row of the view, as text.
type Overview = Vec<Option<String>>;

/// Pushes jobs and moves each of them to another state.
///
/// Returns their ids, each with the expiry of its lease if it has one.
async fn one_job_in_each_state(
    queue: &SqliteQueue,
    clock: &VirtualClock,
) -> Result<Vec<(JobId, Option<Timestamp>)>, queue_core::QueueError> {
    let transitions = [
        None,
        Some(Transition::complete_with(StoredResult::of(&7)?)),
        Some(Transition::Retry { at: Timestamp::from_micros(4_000_000_000_123_456), error: "first".into() }),
        Some(Transition::Discard { error: "broken".into() }),
        Some(Transition::Cancel { reason: "obsolete".into() }),
    ];
    for _ in &transitions {
        queue.enqueue(work::new(1)).priority(-3).meta("tenant", "acme").await?;
    }
    let deliveries = queue.claim(&Demand::new("default", transitions.len()).lease(MINUTE)).await?;
    let progress = JobProgress::new(40, "4 of 10");
    queue.renew(&[Heartbeat::new(deliveries[0].lease.clone()).progress(Some(progress))]).await?;
    clock.advance(Duration::from_micros(1_500_001));
    let mut jobs = Vec::new();
    for (delivery, transition) in deliveries.into_iter().zip(transitions) {
        jobs.push((delivery.id(), transition.is_none().then_some(delivery.lease.expires_at)));
        if let Some(transition) = transition {
            queue.settle(vec![Settlement::new(delivery.lease, transition)]).await?;
        }
    }
    let large = queue_core::Body::json(format!("\"{}\"", "x".repeat(1_000)))?;
    let available = queue.push(vec![NewJob::new("large", large).unique("key").queue("other")]).await?;
    let scheduled = queue.enqueue(work::new(2)).delay(MINUTE).await?;
    jobs.extend([(available[0].id(), None), (scheduled.id(), None)]);
    Ok(jobs)
}

/// Reads a job's row of the view.
fn overview(connection: &Connection, id: JobId) -> queue_sqlite::rusqlite::Result<Overview> {
    let mut select = connection.prepare("select * from queue_overview where id = ?1")?;
    let columns = select.column_count();
    // The last column is `seq`, which `Admin` does not show.
    let text = |value: queue_sqlite::rusqlite::types::Value| match value {
        queue_sqlite::rusqlite::types::Value::Integer(number) => Some(number.to_string()),
        queue_sqlite::rusqlite::types::Value::Text(text) => Some(text),
        _ => None,
    };
    select.query_row([id.to_string()], |row| {
        (0..columns - 1).map(|column| Ok(text(row.get(column)?))).collect()
    })
}

#[tokio::test]
async fn the_overview_of_a_job_in_any_state_agrees_with_get() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let clock = VirtualClock::new();
    let queue = SqliteQueue::builder(&path).clock(clock.clone()).open().await?;
    let jobs = one_job_in_each_state(&queue, &clock).await?;

    let connection = Connection::open(&path)?;
    let mut states = BTreeSet::new();
    for (id, lease_expires_at) in jobs {
        let job = queue.get(id).await?.ok_or("the job is gone")?;
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let expected = vec![
            Some(id.to_string()),
            Some(job.name.to_string()),
            Some(job.queue.to_string()),
            job.partition.name().map(ToOwned::to_owned),
            Some(job.state.to_string()),
            Some(job.priority.to_string()),
            Some(job.attempt.to_string()),
            Some(job.max_attempts.to_string()),
            time(Some(job.pushed_at)),
            time(Some(job.run_at)),
            time(job.claimed_at),
            time(lease_expires_at),
            time(job.finished_at),
            job.cancel_reason.clone(),
            job.errors.last().map(|error| error.message.clone()),
            job.unique.clone(),
            Some(job.body.encode()?.to_string()),
            job.meta.to_json()?,
            job.result.as_ref().map(|result| result.as_str().to_owned()),
            job.progress.as_ref().map(|progress| progress.percent().to_string()),
            job.progress.as_ref().map(|progress| progress.note().to_owned()),
        ];
        assert_eq!(overview(&connection, id)?, expected, "{}", job.state);
        states.insert(job.state);
    }
    assert_eq!(states.into_iter().collect::<Vec<_>>(), State::ALL);
    Ok(())
}

#[tokio::test]
async fn the_table_of_states_lists_them_by_number() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    drop(SqliteQueue::open(&path).await?);

    let connection = Connection::open(&path)?;
    let mut select = connection.prepare("select state, name from queue_states order by state")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let listed = rows.collect::<queue_sqlite::rusqlite::Result<Vec<(i64, String)>>>()?;

    let expected = State::ALL.map(|state| (state as i64, state.to_string()));
    assert_eq!(listed, expected);
    Ok(())
}

#[tokio::test]
async fn a_time_after_the_year_9999_is_null_in_the_overview() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let queue = SqliteQueue::open(&path).await?;
    queue.enqueue(work::new(1)).await?;

    queue.claim(&Demand::new("default", 1).lease(Duration::MAX)).await?;

    let connection = Connection::open(&path)?;
    let select = "select state, lease_expires_at from queue_overview";
    let row = connection.query_row(select, [], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    assert_eq!(row, ("executing".to_owned(), None::<String>));
    Ok(())
}
