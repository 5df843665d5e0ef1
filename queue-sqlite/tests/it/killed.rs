//! What a process has been told is stored is there, however it dies (D1, D3).
//!
//! The tests run this program once more as the process that dies. More of that, for minutes and with many processes at
//! once, is in the crate `queue-torture`.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use queue_core::inspect::{Filter, Page};
use queue_core::{Inspect as _, JobId, NewJob, Queue as _};
use queue_sqlite::SqliteQueue;

use crate::fixture::{TestResult, work};

const FILE: &str = "QUEUE_SQLITE_FILE_OF_A_PROCESS_THAT_DIES";

const BATCH: u32 = 7;

/// The process that dies: pushes batches for ever, and says of each that it's stored as soon as it knows.
#[test]
fn push_until_killed() {
    let Ok(path) = std::env::var(FILE) else {
        // Among the other tests this one has nothing to do.
        return;
    };
    queue_testkit::block_on(async {
        let queue = SqliteQueue::open(path).await.expect("the file can be opened");
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

/// D1, D3: killed straight after an answer, again and again on the same file.
#[tokio::test]
async fn what_was_acknowledged_survives_kill_9_and_the_rest_is_whole_or_absent() -> TestResult {
    for batches in [1, 2, 20] {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("jobs.db");
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--exact", "killed::push_until_killed", "--nocapture"])
            .env(FILE, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(child.stderr.take().ok_or("it has an output")?).lines();
        let stored = lines.map_while(Result::ok).filter(|line| line.starts_with("stored "));
        assert_eq!(stored.take(batches).count(), batches, "the process died by itself");

        child.kill()?;
        child.wait()?;

        let queue = SqliteQueue::open(&path).await?;
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
