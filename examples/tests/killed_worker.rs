//! Tests what another process says of a worker that was killed: its `explain`, its `workers`, its log and its metrics.
//!
//! A binary of its own, because it collects the log of all threads. Each test runs this program once more as the process that
//! it kills.

use std::io::{BufRead as _, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use queue_core::admin::WorkerRecord;
use queue_core::{Admin, BoxError, JobId, QueueExt as _, State, Timestamp, background_job, jobs};
use queue_metrics::PrometheusPage;
use queue_postgres::PostgresQueue;
use queue_sqlite::SqliteQueue;
use queue_tokio::{Host, QueueService};
use test_servers::{Durability, Postgres};
use tokio::time::timeout;
use tower::ServiceExt as _;

const STORE: &str = "STORE_OF_A_WORKER_THAT_IS_KILLED";

const LEASE: Duration = Duration::from_secs(3);

/// How long an event may take on a slow machine. The bounds of the law are checked by the instants that the store has.
const PATIENCE: Duration = Duration::from_secs(60);

/// The number of jobs that each of the two services runs at once.
const CONCURRENCY: usize = 4;

/// The line that says that the job has begun.
const BEGUN: &str = "begun";

#[background_job(queue = "forge", max_attempts = 1)]
async fn forge() -> Result<(), BoxError> {
    std::io::stderr().write_all(format!("{BEGUN}\n").as_bytes())?;
    std::future::pending().await
}

fn service(queue: Arc<dyn Admin>) -> QueueService {
    QueueService::new(queue, jobs![forge]).named("smith").concurrency(CONCURRENCY).lease(LEASE)
}

async fn open(store: &str) -> Result<Arc<dyn Admin>, BoxError> {
    if store.starts_with("postgres:") {
        Ok(Arc::new(PostgresQueue::connect(store).await?))
    } else {
        Ok(Arc::new(SqliteQueue::open(store).await?))
    }
}

/// The process that is killed: runs the job, which never ends.
#[tokio::test(flavor = "multi_thread")]
async fn forge_until_killed() -> Result<(), BoxError> {
    // When run as a test among the others, this function returns at once.
    let Ok(store) = std::env::var(STORE) else { return Ok(()) };
    let _running = Host::builder().service(service(open(&store).await?)).build()?.start().await?;
    std::future::pending().await
}

/// The lines that this process logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Returns the log of all tests of this binary.
    fn collected() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        let collect = || {
            let log = Self::default();
            let writer = log.clone();
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).init();
            log
        };
        LOG.get_or_init(collect).clone()
    }

    /// Returns the error lines that name a job.
    fn errors_of(&self, job: JobId) -> Vec<String> {
        let text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (text, id) = (String::from_utf8_lossy(&text), job.to_string());
        text.lines().filter(|line| line.contains("ERROR") && line.contains(&id)).map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// This process, which watches another one.
struct Watcher {
    queue: Arc<dyn Admin>,
    metrics: Router,
    log: Log,
}

impl Watcher {
    async fn explain(&self, job: JobId) -> Result<String, BoxError> {
        let reasons = self.queue.explain(job).await?;
        Ok(reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    /// Returns the worker with this process number, as `workers` lists it.
    async fn worker(&self, pid: u32) -> Result<WorkerRecord, BoxError> {
        let found = self.queue.workers().await?.into_iter().find(|worker| worker.pid == pid);
        found.ok_or_else(|| "the worker is not listed".into())
    }

    async fn has_metric(&self, line: &str) -> Result<bool, BoxError> {
        let answer = self.metrics.clone().oneshot(Request::get("/metrics").body(Body::empty())?).await?;
        let text = to_bytes(answer.into_body(), usize::MAX).await?;
        Ok(String::from_utf8(text.to_vec())?.lines().any(|found| found == line))
    }
}

/// Asks until the answer is true.
async fn until(what: &str, mut ask: impl AsyncFnMut() -> Result<bool, BoxError>) -> Result<(), BoxError> {
    let asked = async {
        while !ask().await? {}
        Ok(())
    };
    timeout(PATIENCE, asked).await.map_err(|_| format!("{what} does not come about"))?
}

/// Starts the process that is killed, and waits until it runs the job.
fn start_victim(store: &str) -> Result<Child, BoxError> {
    let mut victim = Command::new(std::env::current_exe()?)
        .args(["--exact", "forge_until_killed", "--nocapture"])
        .env(STORE, store)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(victim.stderr.take().ok_or("it has an output")?).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == BEGUN), "the process ended by itself");
    Ok(victim)
}

/// H87: After a `kill -9` of a worker, another process says what happened, within a lease.
#[tokio::test(flavor = "multi_thread")]
async fn another_process_says_what_happened_to_a_killed_worker() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("jobs.db");
    another_process_says_what_happened(file.to_str().ok_or("the path is text")?).await
}

/// H87: The same with a server.
#[tokio::test(flavor = "multi_thread")]
async fn another_process_says_what_happened_to_a_killed_worker_of_a_server() -> Result<(), BoxError> {
    let server = Postgres::start(Durability::Process, &[])?;
    another_process_says_what_happened(&server.url("postgres")).await
}

async fn another_process_says_what_happened(store: &str) -> Result<(), BoxError> {
    let (log, queue, page) = (Log::collected(), open(store).await?, PrometheusPage::new()?);
    let watcher = Watcher { metrics: page.router([queue.clone()]), queue: queue.clone(), log };
    let job = queue.enqueue(forge::new()).await?.id();
    let mut victim = start_victim(store)?;
    let pid = victim.id();
    let running = Host::builder().service(service(queue.clone()).observe(page)).build()?.start().await?;
    let capacity = |processes| format!("queue_workers{{service=\"smith\"}} {}", CONCURRENCY * processes);
    until("a second worker", async || watcher.has_metric(&capacity(2)).await).await?;
    // The lease of the job is to outlive the announcement of its worker, so that `explain` sees the one without the other.
    until("a renewal behind an announcement", async || {
        let lease_ends = queue.get(job).await?.and_then(|job| job.lease_expires_at);
        let counts_until = watcher.worker(pid).await?.expires_at;
        Ok(lease_ends > Some(counts_until.saturating_add(LEASE / 4)))
    })
    .await?;

    victim.kill()?;
    victim.wait()?;
    let within_a_lease = Timestamp::from(SystemTime::now()).saturating_add(LEASE);

    until("`explain` with the vanished worker", async || {
        Ok(watcher.explain(job).await?.contains(&format!("/{pid}/smith was last seen at ")))
    })
    .await?;
    let vanished = watcher.worker(pid).await?;
    assert!(!vanished.is_live && vanished.expires_at <= within_a_lease, "{vanished:?}");
    until("`explain` with the discard", async || {
        let reasons = watcher.explain(job).await?;
        Ok(reasons.contains("it is discarded since ")
            && reasons.contains("the lease expired on attempt 1 of 1"))
    })
    .await?;
    until("the log line", async || Ok(!watcher.log.errors_of(job).is_empty())).await?;
    for metric in [
        capacity(1),
        r#"queue_depth{queue="forge",state="executing"} 0"#.to_owned(),
        r#"queue_depth{queue="forge",state="discarded"} 1"#.to_owned(),
        r#"queue_attempts_total{queue="forge",name="forge",outcome="discard"} 1"#.to_owned(),
    ] {
        until(&metric, async || watcher.has_metric(&metric).await).await?;
    }

    let lines = watcher.log.errors_of(job);
    let line =
        "discarded after 1 of 1 attempts: the lease expired, since the worker died or could not renew it";
    assert!(lines.len() == 1 && lines[0].contains(line), "{lines:?}");
    let record = queue.get(job).await?.ok_or("the job is kept")?;
    assert_eq!(record.state, State::Discarded);
    assert!(record.finished_at <= Some(within_a_lease), "{record:?}");
    running.stop().await?;
    Ok(())
}
