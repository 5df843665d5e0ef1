//! H56: `queue move` under `kill -9` in every batch.

use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime};

use queue_core::admin::{AttemptError, Filter};
use queue_core::{Admin, AdminExt as _, Body, BoxError, Fence, JobRecord, State, Timestamp};

use crate::barrier::{Barrier, Step};
use crate::fixture::id;
use crate::store::{Printed, Store, TestResult, command, on_each_store, run};

on_each_store!(
    /// H56: Killed in the import and in the deletion of each batch, a move loses no job, and completes when it is repeated; so does
    /// the move back.
    a_move_that_is_killed_in_every_batch_completes_when_repeated,
);

const QUEUE: &str = "crowd";

/// The number of jobs that `queue move` moves in one step.
const BATCH: u32 = 250;

/// Three batches, the last one smaller.
const JOBS: u32 = 600;

/// The first id, which no job of the fixture has.
const FIRST: u32 = 1_000;

async fn a_move_that_is_killed_in_every_batch_completes_when_repeated(store: &Store) -> TestResult {
    let other = store.other_kind().await?;
    store.queue.import((0..JOBS).map(job).collect()).await?;
    store.queue.pause(&QUEUE.into()).await?;
    let stored = jobs(&*store.queue).await?;
    assert_eq!(stored.len(), JOBS as usize);

    move_with_kills(store, &other).await?;
    let moved = jobs(&*other.queue).await?;
    move_with_kills(&other, store).await?;

    assert_eq!(moved, stored, "ids, attempts, errors, keys and times are kept");
    assert_eq!(jobs(&*store.queue).await?, stored, "and so they are on the way back");
    Ok(())
}

/// Moves the queue, and kills the command in the import and in the deletion of each batch.
async fn move_with_kills(from: &Store, to: &Store) -> TestResult {
    for first in (0..JOBS).step_by(BATCH as usize) {
        for (at, step) in [(to, Step::Import), (from, Step::Deletion)] {
            let barrier = Barrier::raise(at, step, id(FIRST + first)).await?;
            let mut command = start(from, to);
            let held = barrier.wait_until_held().await;
            // By SIGKILL, whatever was held.
            let killed = command.kill();
            command.wait()?;
            held.and(Ok(killed?))?;
            barrier.remove().await?;
            let (left, arrived) = (jobs(&*from.queue).await?.len(), jobs(&*to.queue).await?.len());
            let copied = first + if step == Step::Deletion { BATCH.min(JOBS - first) } else { 0 };
            assert_eq!(
                (left, arrived),
                ((JOBS - first) as usize, copied as usize),
                "killed in {step:?} of {first}"
            );
        }
    }
    let last = finish(from, to);
    assert_eq!(last.code, 0, "{}", last.error);
    let present = JOBS % BATCH;
    let expected =
        format!("{{\"queue\":\"{QUEUE}\",\"moved\":{present},\"present\":{present},\"left\":[]}}\n");
    assert_eq!(last.out, expected, "the jobs of the last batch were in both stores");
    assert_eq!(jobs(&*from.queue).await?.len(), 0);
    Ok(())
}

fn arguments(from: &Store, to: &Store) -> std::process::Command {
    let mut command = command();
    command.arg("move").args([from.url(), to.url(), "--schema", "cli", "--queue", QUEUE, "--json"]);
    command
}

fn start(from: &Store, to: &Store) -> Child {
    let mut command = arguments(from, to);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the command is there")
}

fn finish(from: &Store, to: &Store) -> Printed {
    run(&mut arguments(from, to), "")
}

/// Returns the jobs of the queue as JSON, in push order. An executing job would hold up the move, and there is none.
async fn jobs(queue: &dyn Admin) -> Result<Vec<serde_json::Value>, BoxError> {
    let jobs = queue.list_all(&Filter::all().queue(QUEUE)).await?;
    Ok(jobs.iter().map(serde_json::to_value).collect::<Result<_, _>>()?)
}

/// Returns a job that has waited for a while: every second has failed, every third has a unique key.
fn job(number: u32) -> JobRecord {
    let now = Timestamp::from(SystemTime::now());
    let ago = |seconds: u32| now.saturating_sub(Duration::from_secs(seconds.into()));
    let mut job =
        JobRecord::new(id(FIRST + number), "charge".into(), Body::stored(format!("{{\"order\":{number}}}")));
    job.queue = QUEUE.into();
    job.meta = [("tenant", format!("t{}", number % 7).as_str())].into_iter().collect();
    job.priority = i32::try_from(number % 5).unwrap_or_default() - 2;
    job.max_attempts = 9;
    job.pushed_at = ago(JOBS * 2 - number);
    job.run_at = job.pushed_at;
    if number.is_multiple_of(2) {
        job.attempt = 1 + number % 3;
        job.fence = Fence(u64::from(job.attempt) + 2);
        job.claimed_at = Some(ago(20));
        job.errors =
            (1..=job.attempt).map(|attempt| AttemptError::new(attempt, ago(10), "refused")).collect();
        job.state = State::Retryable;
        job.run_at = now.saturating_add(Duration::from_secs(u64::from(number) + 3_600));
    }
    if number.is_multiple_of(3) {
        job.unique = Some(format!("order:{number}"));
        job.unique_until = Some(job.pushed_at);
    }
    job
}
