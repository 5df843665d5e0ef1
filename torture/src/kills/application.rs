//! A process of an application that shares the database. It pushes within transactions of its own and holds them open. In
//! SQLite it also reads for long, checkpoints, and makes backups.

use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use queue_conformance::history::{EventKind, KnownOutcome, Pushed};
use queue_conformance::load::{self, Load};
use queue_core::{BoxError, NewJob, QueueErrorKind, Receipt};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{Connection as _, PgConnection};
use queue_sqlite::SqliteQueue;
use rusqlite::{Connection, TransactionBehavior};
use tokio::time::sleep;

use super::limits;
use super::sales::{self, Notes};
use crate::queue::Location;
use crate::settings::Role;

/// The end of a transaction, if it is known.
enum End {
    Committed(Vec<Receipt>),
    RolledBack,
}

/// Works with the database until the driver stops the process.
pub(crate) async fn run(role: &Role) -> Result<(), BoxError> {
    let stop = load::stop_at_end_of_input();
    let load = limits::client(role, role.location.open().await?, stop)?;
    let notes = Notes::create(&role.journal)?;
    let mut application = Application { role, load, notes, random: Rng::with_seed(role.seed) };
    match &role.location {
        Location::Database(url) => application.run_on_database(url).await,
        Location::File(file) => application.run_on_file(file).await,
    }
}

/// An application that pushes jobs in transactions of its own.
struct Application<'a> {
    role: &'a Role,
    load: Load,
    notes: Notes,
    random: Rng,
}

impl Application<'_> {
    async fn run_on_database(&mut self, url: &str) -> Result<(), BoxError> {
        let Some(queue) = self.connect(url).await? else { return Ok(()) };
        while !self.load.stop.is_cancelled() {
            let hold = Duration::from_millis(self.random.u64(0..2_000));
            let commits = self.random.u32(0..4) > 0;
            let transaction = |jobs| in_postgres(&queue, url, jobs, hold, commits);
            if self.random.bool() {
                self.sell(transaction).await?;
            } else {
                self.push(transaction).await?;
            }
        }
        Ok(())
    }

    /// Connects as soon as the server answers. Returns `None` if the application is to stop.
    async fn connect(&self, url: &str) -> Result<Option<PostgresQueue>, BoxError> {
        loop {
            match PostgresQueue::builder(url).run_migrations(false).connect().await {
                Ok(queue) => return Ok(Some(queue)),
                Err(_) if self.load.stop.is_cancelled() => return Ok(None),
                Err(error) if error.is_transient() => sleep(Duration::from_millis(100)).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn run_on_file(&mut self, file: &Path) -> Result<(), BoxError> {
        let queue = SqliteQueue::open(file).await?;
        while !self.load.stop.is_cancelled() {
            match self.random.u32(0..8) {
                0 => read_for_long(file, &mut self.random).await?,
                1 => checkpoint(file)?,
                2 => back_up(file, &self.role.journal.with_extension("backup"))?,
                _ => {
                    let hold = Duration::from_millis(self.random.u64(0..300));
                    let commits = self.random.u32(0..4) > 0;
                    let transaction = |jobs| in_sqlite(&queue, file, jobs, hold, commits);
                    if self.random.u32(0..3) > 0 {
                        self.sell(transaction).await?;
                    } else {
                        self.push(transaction).await?;
                    }
                }
            }
            sleep(Duration::from_millis(self.random.u64(0..200))).await;
        }
        Ok(())
    }

    /// Runs a transaction that pushes the jobs of sales, and records them in the notes.
    async fn sell<T>(&mut self, transaction: impl FnOnce(Vec<NewJob>) -> T) -> Result<(), BoxError>
    where
        T: Future<Output = Result<End, BoxError>>,
    {
        sold(&self.notes, sales::batch(&self.role.location, &mut self.random), transaction).await
    }

    /// Runs a transaction that pushes jobs, and records them in the journal.
    async fn push<T>(&mut self, transaction: impl FnOnce(Vec<NewJob>) -> T) -> Result<(), BoxError>
    where
        T: Future<Output = Result<End, BoxError>>,
    {
        let jobs = self.load.batch(&mut self.random, 5)?;
        let pushed = Pushed::batch(&jobs);
        noted(&self.load, &pushed, transaction(jobs)).await
    }
}

/// Runs a transaction that pushes, and records its jobs in the journal.
async fn noted(
    load: &Load,
    pushed: &[Pushed],
    transaction: impl Future<Output = Result<End, BoxError>>,
) -> Result<(), BoxError> {
    let call = load.journal.begin(pushed.iter().cloned().map(EventKind::Pushed))?;
    let ended = transaction.await;
    let answered = |outcome: KnownOutcome| {
        pushed.iter().cloned().map(move |job| EventKind::Pushed(Pushed { outcome, ..job }))
    };
    match ended {
        Ok(End::Committed(receipts)) => {
            let received = pushed.iter().cloned().zip(&receipts);
            load.journal.end(
                call,
                received.map(|(job, receipt)| EventKind::Pushed(job.received(*receipt))),
                None,
            )
        }
        Ok(End::RolledBack) => load.journal.end(call, answered(KnownOutcome::Refused), None),
        Err(error) => {
            let text = queue_core::backend::error_chain(&*error);
            load.journal.end(call, answered(KnownOutcome::Unknown), Some(text))?;
            let queue = error.downcast_ref::<queue_core::QueueError>();
            match queue.is_some_and(|error| error.kind() != QueueErrorKind::Unavailable) {
                true => Err(error),
                false => Ok(()),
            }
        }
    }
}

/// Runs a transaction that pushes jobs of the application, and records them in the notes.
async fn sold<F>(
    notes: &Notes,
    jobs: Vec<NewJob>,
    transaction: impl FnOnce(Vec<NewJob>) -> F,
) -> Result<(), BoxError>
where
    F: Future<Output = Result<End, BoxError>>,
{
    let pushes = notes.begin(&jobs)?;
    match transaction(jobs).await {
        Ok(End::Committed(receipts)) => notes.committed(&pushes, &receipts),
        Ok(End::RolledBack) => notes.rolled_back(&pushes),
        Err(error) => {
            match error.downcast_ref::<queue_core::QueueError>().map(queue_core::QueueError::kind) {
                // A server may end one of two transactions in a deadlock.
                None | Some(QueueErrorKind::Unavailable | QueueErrorKind::Conflict) => Ok(()),
                Some(_) => Err(error),
            }
        }
    }
}

async fn in_postgres(
    queue: &PostgresQueue,
    url: &str,
    jobs: Vec<NewJob>,
    hold: Duration,
    commits: bool,
) -> Result<End, BoxError> {
    let mut connection = PgConnection::connect(url).await?;
    let mut tx = connection.begin().await?;
    let receipts = queue.push_in(&mut tx, jobs).await?;
    sleep(hold).await;
    if commits {
        tx.commit().await?;
        return Ok(End::Committed(receipts));
    }
    tx.rollback().await?;
    Ok(End::RolledBack)
}

fn open(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(30))?;
    Ok(connection)
}

async fn in_sqlite(
    queue: &SqliteQueue,
    file: &Path,
    jobs: Vec<NewJob>,
    hold: Duration,
    commits: bool,
) -> Result<End, BoxError> {
    let mut connection = open(file)?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let receipts = queue.push_in(&tx, jobs)?;
    sleep(hold).await;
    if commits {
        tx.commit()?;
        return Ok(End::Committed(receipts));
    }
    tx.rollback()?;
    Ok(End::RolledBack)
}

/// Keeps a snapshot for a while, so that the write-ahead log can't be restarted.
async fn read_for_long(file: &Path, random: &mut Rng) -> Result<(), BoxError> {
    let mut connection = open(file)?;
    let tx = connection.transaction()?;
    let count =
        |tx: &Connection| tx.query_row("select count(*) from queue_jobs", (), |row| row.get::<_, i64>(0));
    let before = count(&tx)?;
    sleep(Duration::from_millis(random.u64(0..2_000))).await;
    if count(&tx)? == before { Ok(()) } else { Err("a read transaction saw later commits".into()) }
}

fn checkpoint(file: &Path) -> Result<(), BoxError> {
    open(file)?.query_row("pragma wal_checkpoint(passive)", (), |_| Ok(()))?;
    Ok(())
}

/// Copies the database while it is written to. The copy must be whole.
fn back_up(file: &Path, copy: &Path) -> Result<(), BoxError> {
    open(file)?.execute("vacuum into ?1", [copy.display().to_string()])?;
    let found: String = open(copy)?.query_row("pragma integrity_check", (), |row| row.get(0))?;
    std::fs::remove_file(copy)?;
    if found == "ok" { Ok(()) } else { Err(format!("a backup is broken: {found}").into()) }
}
