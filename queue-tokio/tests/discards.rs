//! Tests that every backend logs a job that is discarded because its lease expired: H68.
//!
//! A binary of its own: backends log from their own threads, so the subscriber is installed for the whole process.

use std::io::Write;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use queue_core::{Admin, BoxError, Demand, QueueExt as _, State, background_job};
use queue_postgres::PostgresQueue;
use queue_sqlite::SqliteQueue;
use queue_tokio::MemoryQueue;
use test_servers::{Durability, Postgres};
use tracing_subscriber::fmt::MakeWriter;

type TestResult = Result<(), BoxError>;

#[background_job(max_attempts = 1)]
async fn kills_its_worker() {}

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

static INSTALLED: LazyLock<()> = LazyLock::new(|| {
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(Lines).finish();
    tracing::subscriber::set_global_default(subscriber).expect("no other subscriber is installed");
});

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

/// Waits until the lease of a job's only attempt has expired, and checks the line that logs the discard.
async fn is_logged(queue: impl Admin) -> TestResult {
    LazyLock::force(&INSTALLED);
    let id = queue.enqueue(kills_its_worker::new()).await?.id();
    let claimed = queue.claim(&Demand::new("default", 1).lease(Duration::from_millis(1))).await?;
    assert_eq!(claimed.len(), 1);
    while queue.get(id).await?.is_none_or(|job| job.state != State::Discarded) {}

    let nothing = queue.claim(&Demand::new("default", 1).wait(Duration::ZERO)).await?;

    assert!(nothing.is_empty(), "{nothing:?}");
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let lines = String::from_utf8(lines)?;
    let said: Vec<_> = lines.lines().filter(|line| line.contains(&id.to_string())).collect();
    let [line] = said[..] else { panic!("the discard is logged once: {said:#?}") };
    for word in ["ERROR", "discarded after 1 of 1 attempts: the lease expired", "kills_its_worker"] {
        assert!(line.contains(word), "{line}");
    }
    Ok(())
}

/// H68: the in-memory queue logs a discard by an expired lease.
#[tokio::test]
async fn a_discard_by_an_expired_lease_is_logged_in_memory() -> TestResult {
    is_logged(MemoryQueue::new()).await
}

/// H68: the program that has the file open logs a discard by an expired lease.
#[tokio::test]
async fn a_discard_by_an_expired_lease_is_logged_on_sqlite() -> TestResult {
    let folder = tempfile::tempdir()?;
    is_logged(SqliteQueue::open(folder.path().join("jobs.db")).await?).await
}

/// H68: a program that claims from the server logs a discard by an expired lease.
#[tokio::test]
async fn a_discard_by_an_expired_lease_is_logged_on_postgres() -> TestResult {
    let server = Postgres::start(Durability::Process, &[])?;
    is_logged(PostgresQueue::connect(server.url("postgres")).await?).await
}
