//! Threads and files are released when they are no longer needed (D27).

use std::process::Command;
use std::time::{Duration, Instant};

use queue_core::{BoxError, QueueExt as _};
use queue_postgres::PostgresQueue;

use crate::fixture::{TestResult, schema, url, work};

const PLACE: &str = "QUEUE_POSTGRES_PLACE_OF_A_PROCESS_THAT_COUNTS";

/// Returns the number of threads and of open files.
fn count() -> Result<(usize, usize), BoxError> {
    Ok((std::fs::read_dir("/proc/self/task")?.count(), std::fs::read_dir("/proc/self/fd")?.count()))
}

/// Waits until no more are left than `before`: a thread ends shortly after the last handle was dropped.
async fn settled(before: (usize, usize), what: &str) -> TestResult {
    let began = Instant::now();
    loop {
        let now = count()?;
        if now.0 <= before.0 && now.1 <= before.1 {
            return Ok(());
        }
        if began.elapsed() > Duration::from_secs(20) {
            return Err(format!("{what}: {before:?} threads and files were {now:?} afterwards").into());
        }
        tokio::task::yield_now().await;
    }
}

/// The process that counts, without other tests in it.
#[test]
fn count_alone() -> TestResult {
    let Ok(place) = std::env::var(PLACE) else {
        // This function is the entry point of a process; as a test it does nothing.
        return Ok(());
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let schema = schema();
        let builder = || PostgresQueue::builder(&place).schema(&schema);
        builder().migrate().await?;
        drop(builder().connect().await?);
        let nowhere = "postgres://nobody@localhost/nothing?host=/nowhere";
        drop(PostgresQueue::connect(nowhere).await.expect_err("there is no server"));
        // By now the library and the system have allocated what they keep.
        let before = {
            let first = count()?;
            settled((2, first.1), "the first round").await?;
            count()?
        };
        for _ in 0..20 {
            builder().migrate().await?;
        }
        settled(before, "migrations").await?;
        for _ in 0..20 {
            drop(PostgresQueue::connect(nowhere).await.expect_err("there is no server"));
            drop(PostgresQueue::builder(nowhere).migrate().await.expect_err("there is no server"));
        }
        settled(before, "failures").await?;
        for number in 0..20 {
            let queue = builder().connect().await?;
            queue.enqueue(work::new(number)).await?;
        }
        settled(before, "queues").await
    })
}

/// D27: migrations, failures and dropped queues leave no threads or files behind.
#[test]
fn no_thread_and_no_file_is_left_behind() -> TestResult {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--exact", "leaks::count_alone", "--nocapture", "--test-threads=1"]).env(PLACE, url());

    let output = command.output()?;

    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    Ok(())
}
