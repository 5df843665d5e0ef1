//! What a process has been told is stored is there, however it dies, and however the server does (D1, D2, D3).
//!
//! The tests run this program once more as the process that dies. More of that, for minutes and with many processes at
//! once, is in the crate `queue-torture`.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use queue_core::inspect::{Filter, Page};
use queue_core::{Demand, Inspect as _, JobId, NewJob, Queue as _, QueueExt as _};
use queue_postgres::PostgresQueue;
use test_servers::{Durability, Postgres};

use crate::fixture::{TestResult, schema, url, work};

const SCHEMA: &str = "QUEUE_POSTGRES_SCHEMA_OF_A_PROCESS_THAT_DIES";
const PLACE: &str = "QUEUE_POSTGRES_URL_OF_A_PROCESS_THAT_DIES";

const BATCH: u32 = 7;

/// The process that dies: pushes batches for ever, and says of each that it's stored as soon as it knows.
#[test]
fn push_until_killed() {
    let (Ok(schema), Ok(place)) = (std::env::var(SCHEMA), std::env::var(PLACE)) else {
        // Among the other tests this one has nothing to do.
        return;
    };
    queue_testkit::block_on(async {
        let queue =
            PostgresQueue::builder(place).schema(schema).connect().await.expect("the server is there");
        for batch in 0_u32.. {
            let job = |place| NewJob::from(work::new(batch)).id(id(batch, place));
            queue.push((0..BATCH).map(job).collect()).await.expect("it is stored");
            let line = format!("stored {batch}\n");
            std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).expect("somebody listens");
        }
    });
}

fn id(batch: u32, place: u32) -> JobId {
    JobId::from_u128(u128::from(batch) << 32 | u128::from(place))
}

/// D1, D3: killed straight after an answer.
#[tokio::test]
async fn what_was_acknowledged_survives_kill_9_and_the_rest_is_whole_or_absent() -> TestResult {
    for batches in [1, 2, 20] {
        let schema = schema();
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--exact", "killed::push_until_killed", "--nocapture"])
            .env(SCHEMA, &schema)
            .env(PLACE, url())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(child.stderr.take().ok_or("it has an output")?).lines();
        let stored = lines.map_while(Result::ok).filter(|line| line.starts_with("stored "));
        assert_eq!(stored.take(batches).count(), batches, "the process died by itself");

        child.kill()?;
        child.wait()?;

        let queue = PostgresQueue::builder(url()).schema(&schema).connect().await?;
        let jobs = queue.list(&Filter::all(), &Page::first(100_000)).await?.jobs;
        let numbers =
            |batch: u32| jobs.iter().filter(|job| (0..BATCH).any(|place| job.id == id(batch, place))).count();
        for batch in 0..batches as u32 {
            assert_eq!(numbers(batch), BATCH as usize, "batch {batch} was acknowledged");
        }
        assert_eq!(jobs.len() % BATCH as usize, 0, "a batch is there in part");
    }
    Ok(())
}

/// D2: the server is killed straight after an answer, and the same open queue goes on once it's back.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_the_death_of_the_server() -> TestResult {
    let server = Postgres::start(Durability::Full, &[])?;
    let queue = PostgresQueue::connect(server.url("postgres")).await?;
    let mut pushed = Vec::new();
    for round in 0..3 {
        let jobs = (0..10).map(|number| NewJob::from(work::new(round * 10 + number))).collect();
        pushed.extend(queue.push(jobs).await?.into_iter().map(queue_core::Receipt::id));
        server.kill();
        let error = queue.enqueue(work::new(99)).await.expect_err("nobody was there to store it");
        assert!(error.is_transient() && error.to_string().contains("can't be reached"), "{error}");

        server.restart()?;

        for id in &pushed {
            let job = queue.get(*id).await;
            // The connection may have been the one that broke; then the next is a new one.
            let job = if job.is_err() { queue.get(*id).await? } else { job? };
            assert!(job.is_some(), "{id} was acknowledged");
        }
    }

    let mut delivered = Vec::new();
    while delivered.len() < pushed.len() {
        let demand = Demand::new("default", 100);
        delivered.extend(queue.claim(&demand).await.unwrap_or_default().iter().map(queue_core::Delivery::id));
    }
    assert_eq!(delivered, pushed);
    Ok(())
}
