//! The view `overview` shows what `Admin` returns.

use std::time::Duration;

use queue_core::admin::{Filter, PageRequest};
use queue_core::{
    Admin as _, Demand, Queue as _, QueueExt as _, Settlement, State, StoredResult, Timestamp, Transition,
};
use queue_postgres::sqlx;
use queue_postgres::sqlx::AssertSqlSafe;

use crate::fixture::{TestResult, queue, work};

type Row = (String, String, String, i64, Option<i64>, Option<i64>, Option<String>, Option<String>);

/// One job in each state.
#[tokio::test]
async fn overview_shows_each_job_as_it_is_listed() -> TestResult {
    const HOUR: Duration = Duration::from_secs(3600);
    let (queue, mut connection, schema) = queue().await?;
    let retry = Transition::Retry { at: Timestamp::from_micros(i64::MAX), error: "later".into() };
    let result = StoredResult::of(&7)?;
    let ends = [Transition::complete_with(result), Transition::Discard { error: "no".into() }, retry];
    for number in 0..4 {
        queue.enqueue(work::new(number)).await?;
    }
    let jobs = queue.claim(&Demand::new("default", 4).lease(HOUR)).await?;
    let settlements = jobs.into_iter().zip(ends).map(|(job, end)| Settlement::new(job.lease, end));
    queue.settle(settlements.collect()).await?;
    let cancelled = queue.enqueue(work::new(4)).await?.id();
    queue.cancel(cancelled, "not needed").await?;
    queue.enqueue(work::new(5)).await?;
    queue.enqueue(work::new(6)).delay(HOUR).await?;

    let listed = queue.list(&Filter::all(), &PageRequest::first(10)).await?.jobs;
    let statement = format!(
        "select id::text, queue, state, attempt, (extract(epoch from claimed_at) * 1e6)::bigint,
            (extract(epoch from finished_at) * 1e6)::bigint, last_error, result
        from {schema}.overview order by seq"
    );
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(statement)).fetch_all(&mut connection).await?;

    let expected = listed.iter().map(|job| {
        let micros = |time: Option<Timestamp>| time.map(Timestamp::as_micros);
        let error = job.errors.last().map(|error| error.message.clone());
        let (id, queue, state) = (job.id.to_string(), job.queue.to_string(), job.state.to_string());
        let result = job.result.as_ref().map(|result| result.as_str().to_owned());
        let (claimed, finished) = (micros(job.claimed_at), micros(job.finished_at));
        (id, queue, state, i64::from(job.attempt), claimed, finished, error, result)
    });
    assert_eq!(rows, expected.collect::<Vec<Row>>());
    let mut states: Vec<State> = listed.iter().map(|job| job.state).collect();
    states.sort_by_key(|state| *state as u8);
    assert_eq!(states, State::ALL);
    Ok(())
}
