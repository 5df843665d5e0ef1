//! Tests that a trace continues in another process: H84.
//!
//! The test runs this program once more as the process that works, over the same SQLite file.

use std::path::Path;
use std::process::{Command, Stdio};

use queue_core::{Admin as _, Event, Observer, QueueExt as _, Transition};
use queue_otel::TracedQueue;
use queue_sqlite::SqliteQueue;
use queue_tokio::QueueService;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tracing::Instrument as _;

use crate::jobs::{all, pack};
use crate::traces::{Seen, TestResult, Traces, assert_story};

const FILE: &str = "QUEUE_OTEL_FILE_OF_A_WORKING_PROCESS";

/// The prefix of a span in the output of the working process.
const MARK: &str = "span: ";

/// Sends a message when the followup is completed.
struct Ended(UnboundedSender<()>);

impl Observer for Ended {
    fn observe(&self, event: &Event) {
        if let Event::Settled { job, transition: Transition::Complete { .. }, .. } = event
            && job.name.as_str() == "ship"
        {
            self.0.send(()).ok();
        }
    }
}

/// The process that works: runs the jobs of the file, and prints its spans.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the parent reads the spans")]
async fn work_as_another_process() -> TestResult {
    // When run as a test among the others, this function returns at once.
    let Ok(file) = std::env::var(FILE) else { return Ok(()) };
    let traces = Traces::new();
    let queue = SqliteQueue::open(Path::new(&file)).await?;
    let (ended, mut is_over) = unbounded_channel();
    let service = QueueService::new(queue, all()).layer(queue_otel::layer(traces.tracer()));
    let service = service.observe(Ended(ended));
    service.run_until(async move { is_over.recv().await.unwrap() }).await?;
    for span in traces.seen() {
        println!("{MARK}{}", serde_json::to_string(&span)?);
    }
    Ok(())
}

/// H84: a request, the job that it enqueued, its retry and its followup are connected across two processes.
#[tokio::test]
async fn a_trace_continues_in_another_process() -> TestResult {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("jobs.db");
    let traces = Traces::new();
    let _guard = tracing::subscriber::set_default(traces.subscriber());
    let queue = TracedQueue::new(SqliteQueue::open(&file).await?);

    let id = queue.enqueue(pack::new()).into_future().instrument(tracing::info_span!("request")).await?.id();
    let output = Command::new(std::env::current_exe()?)
        .args(["--exact", "processes::work_as_another_process", "--nocapture"])
        .env(FILE, &file)
        .stderr(Stdio::inherit())
        .output()?;

    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let text = String::from_utf8(output.stdout)?;
    let remote = text.lines().filter_map(|line| serde_json::from_str::<Seen>(line.split_once(MARK)?.1).ok());
    let seen: Vec<_> = traces.seen().into_iter().chain(remote).collect();
    assert_eq!(queue.get(id).await?.unwrap().attempt, 2);
    assert_story(&seen);
    Ok(())
}
