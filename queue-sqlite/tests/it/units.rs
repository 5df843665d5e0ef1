//! The writes of a job and its completion are one commit (D12).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use queue_core::admin::{HistoryRequest, HistoryRow};
use queue_core::services::{Factory as _, Scope};
use queue_core::{
    Admin as _, AttemptRunner, BoxError, Delivery, Demand, Environment, Event, JobContext, JobError, JobId,
    JobRecord, Jobs, NewJob, OutcomeKind, Queue as _, QueueErrorKind, QueueExt as _, Services, State,
    StoredResult, Timestamp, Transition, background_job, jobs,
};
use queue_sqlite::rusqlite::{self, Connection};
use queue_sqlite::{SqliteQueue, SqliteUnitOfWork};
use queue_testkit::{Recorder, VirtualClock};
use queue_tokio::{Host, QueueService, RunningHost};

use crate::fixture::TestResult;

/// Tables with a constraint that SQLite checks at the commit.
const FAMILIES: &str = "create table parents (id integer primary key);
    create table children (parent integer references parents (id) deferrable initially deferred)";

const PAY: &str = "update accounts set cents = cents + 1";

#[background_job]
async fn receipt(order: i64) {
    let _: i64 = order;
}

#[background_job(max_attempts = 1)]
async fn pay(
    #[inject] db: &mut SqliteUnitOfWork,
    #[inject] context: &JobContext,
    how: &str,
) -> Result<(), JobError> {
    db.write(|tx| tx.execute(PAY, []));
    context.then(NewJob::from(receipt::new(1)).queue("receipts"));
    match how {
        "succeed" => {}
        "fail" => Err("the card was refused")?,
        "panic" => panic!("the card was eaten"),
        "write nonsense" => db.write(|tx| tx.execute("insert into nowhere values (1)", [])),
        "panic in a write" => db.write(|_| -> rusqlite::Result<()> { panic!("the database was eaten") }),
        other => db.write({
            let sql = other.to_owned();
            move |tx| tx.execute_batch(&sql)
        }),
    }
    Ok(())
}

struct Bank {
    queue: SqliteQueue,
    accounts: Connection,
    recorder: Recorder,
    _running: RunningHost,
    _folder: tempfile::TempDir,
}

impl Bank {
    async fn open(jobs: Jobs) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("bank.db");
        let queue = SqliteQueue::open(&path).await?;
        let accounts = Connection::open(&path)?;
        accounts.busy_timeout(Duration::from_secs(10))?;
        accounts.execute_batch("create table accounts (cents integer); insert into accounts values (0);")?;
        accounts.execute_batch(FAMILIES)?;
        let services = Services::builder()
            .unit_of_work(queue.unit_of_work(), SqliteUnitOfWork::end)
            .singleton(AtomicU32::new(0))
            .build()?;
        let recorder = Recorder::with_deadline(Duration::from_secs(60));
        let service = QueueService::new(queue.clone(), jobs).queues(["default"]).observe(recorder.clone());
        let running = Host::builder().services(services).service(service).build()?.start().await?;
        Ok(Self { queue, accounts, recorder, _running: running, _folder: folder })
    }

    fn cents(&self) -> rusqlite::Result<i64> {
        self.accounts.query_row("select cents from accounts", [], |row| row.get(0))
    }

    async fn ended(&self, id: JobId) -> Result<JobRecord, Box<dyn std::error::Error + Send + Sync>> {
        let is_end = |event: &Event| match event {
            Event::Settled { job, transition, .. } => {
                job.id == id && matches!(transition, Transition::Complete { .. } | Transition::Discard { .. })
            }
            _ => false,
        };
        self.recorder.wait_for("the job's end", is_end).await;
        Ok(self.queue.get(id).await?.ok_or("the job is gone")?)
    }

    async fn receipts(&self) -> Result<u64, queue_core::QueueError> {
        let counts = self.queue.counts().await?;
        Ok(counts.iter().filter(|counts| counts.queue == "receipts").map(|counts| counts.unfinished()).sum())
    }
}

#[background_job]
async fn count_a_cent(#[inject] db: &mut SqliteUnitOfWork) -> Result<u64, JobError> {
    db.write(|tx| tx.execute(PAY, []));
    Ok(1)
}

/// D12, Q83
#[tokio::test(flavor = "multi_thread")]
async fn the_result_of_a_job_is_committed_with_its_writes() -> TestResult {
    let bank = Bank::open(jobs![count_a_cent]).await?;

    let id = bank.queue.enqueue(count_a_cent::new()).await?.id();

    let job = bank.ended(id).await?;
    assert_eq!((job.state, job.result), (State::Completed, Some(StoredResult::of(&1)?)));
    assert_eq!(bank.cents()?, 1);
    Ok(())
}

/// D12
#[tokio::test(flavor = "multi_thread")]
async fn writes_completion_and_followups_are_committed_together() -> TestResult {
    let bank = Bank::open(jobs![pay]).await?;

    let id = bank.queue.enqueue(pay::new("succeed")).await?.id();

    assert_eq!(bank.ended(id).await?.state, State::Completed);
    assert_eq!((bank.cents()?, bank.receipts().await?), (1, 1));
    Ok(())
}

/// D12, Q107: Its completion is not counted either.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_at_any_point_writes_nothing() -> TestResult {
    let bank = Bank::open(jobs![pay]).await?;
    let table = [
        ("fail", "the card was refused"),
        ("panic", "the card was eaten"),
        ("write nonsense", "no such table: nowhere"),
        ("panic in a write", "the database was eaten"),
        ("release queue_unit", "not authorized"),
        ("insert into children values (99)", "FOREIGN KEY"),
        ("commit", "not authorized"),
        ("rollback", "not authorized"),
        ("insert or rollback into accounts (rowid, cents) values (1, 1)", "UNIQUE constraint failed"),
    ];

    for (how, why) in table {
        let before = bank.cents()?;
        let id = bank.queue.enqueue(pay::new(how)).await?.id();
        let job = bank.ended(id).await?;
        assert_eq!(job.state, State::Discarded, "{how}: {job:?}");
        let error = &job.errors.last().ok_or("a discarded job says why")?.message;
        assert!(error.contains(why), "{how}: {error}");
        assert_eq!((bank.cents()?, bank.receipts().await?), (before, 0), "{how}");
    }
    let rows = bank.queue.history(&HistoryRequest::since(Timestamp::EPOCH)).await?;
    let sum = |of: fn(&HistoryRow) -> u64| rows.iter().map(of).sum::<u64>();
    let ends = (sum(|row| row.completed), sum(|row| row.failed), sum(|row| row.discarded));
    assert_eq!(ends, (0, table.len() as u64, table.len() as u64), "{rows:?}");
    Ok(())
}

#[background_job(max_attempts = 3, backoff = fixed("1ms"))]
async fn pay_late(#[inject] db: &mut SqliteUnitOfWork, #[inject] tries: &AtomicU32) -> Result<(), JobError> {
    db.write(|tx| tx.execute(PAY, []));
    if tries.fetch_add(1, Ordering::SeqCst) < 2 { Err("not yet")? } else { Ok(()) }
}

/// D12
#[tokio::test(flavor = "multi_thread")]
async fn attempts_before_the_last_leave_nothing_behind() -> TestResult {
    let bank = Bank::open(jobs![pay_late]).await?;

    let id = bank.queue.enqueue(pay_late::new()).await?.id();
    let job = bank.ended(id).await?;

    assert_eq!((job.state, job.attempt, bank.cents()?), (State::Completed, 3, 1));
    Ok(())
}

/// D12: A constraint that fails one commit fails no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_unit_of_work_that_fails_its_commit_fails_no_other_call() -> TestResult {
    let bank = Bank::open(jobs![pay]).await?;
    let mut broken = Vec::new();
    for _ in 0..20 {
        broken.push(bank.queue.enqueue(pay::new("insert into children values (99)")).await?.id());
        // Other pushes and settlements continue meanwhile.
        bank.queue.enqueue(NewJob::from(receipt::new(1)).queue("receipts")).await?;
        bank.queue.enqueue(pay::new("succeed")).await?;
    }

    for id in broken {
        assert_eq!(bank.ended(id).await?.state, State::Discarded);
    }
    let demand = Demand::new("receipts", 100).wait(Duration::ZERO);
    assert!(bank.queue.claim(&demand).await?.len() >= 20);
    Ok(())
}

/// Creates the unit of work of an attempt at this delivery.
pub(crate) async fn unit(
    queue: &SqliteQueue,
    delivery: &Delivery,
    clock: &VirtualClock,
) -> Result<SqliteUnitOfWork, BoxError> {
    let environment = Environment {
        clock: Arc::new(clock.clone()),
        blocking: Arc::new(crate::fixture::NoThreads),
        observer: None,
        service: None,
    };
    let runner = AttemptRunner::new(jobs![], Services::none(), Arc::new(queue.clone()), &[], environment);
    let scope = Scope::open(runner.attempt(delivery.clone()).context().clone(), Services::none());
    Ok(queue.unit_of_work().make(&scope).await?)
}

/// D12: A commit that fails affects no other call, including a waiting claim.
#[tokio::test]
async fn a_unit_of_work_that_fails_its_commit_fails_no_waiting_claim() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let queue = SqliteQueue::open(&path).await?;
    Connection::open(&path)?.execute_batch(FAMILIES)?;
    queue.enqueue(receipt::new(1)).await?;
    let delivery = queue.claim(&Demand::new("default", 1)).await?.remove(0);
    let rare = Demand::new("rare", 1);
    let mut claim = Box::pin(queue.claim(&rare));
    assert!(futures_util::poll!(&mut claim).is_pending());
    queue.poll_now().await;
    let mut unit = unit(&queue, &delivery, &VirtualClock::new()).await?;
    unit.write(|tx| tx.execute("insert into children values (99)", []));

    let error = unit.end(OutcomeKind::Success).await.expect_err("a child without a parent was committed");

    assert!(queue_core::backend::error_chain(&error).contains("FOREIGN KEY"), "{error}");
    assert!(futures_util::poll!(&mut claim).is_pending());
    let pushed = queue.enqueue(receipt::new(2)).queue("rare").await?.id();
    assert_eq!(claim.await?.first().map(Delivery::id), Some(pushed));
    Ok(())
}

/// D12: An attempt that lost its lease writes nothing, although it succeeded.
#[tokio::test]
async fn a_unit_of_work_whose_lease_was_lost_writes_nothing() -> TestResult {
    let clock = VirtualClock::new();
    let queue = SqliteQueue::builder(":memory:").clock(clock.clone()).open().await?;
    queue.enqueue(receipt::new(1)).await?;
    let [lost] = &*queue.claim(&Demand::new("default", 1)).await? else { panic!("one job") };
    let mut late = unit(&queue, lost, &clock).await?;
    late.write(|tx| tx.execute_batch("create table written (by text)"));
    clock.advance(Duration::from_secs(31));

    let error = late.end(OutcomeKind::Success).await.expect_err("a lost lease completed a job");

    assert_eq!(error.kind(), QueueErrorKind::Conflict, "{error}");
    let job = queue.get(lost.id()).await?.ok_or("the job is gone")?;
    assert_eq!((job.state, job.attempt), (State::Available, 1));
    // The attempt with the next lease can create the table, so the first one did not.
    let delivery = queue.claim(&Demand::new("default", 1)).await?.remove(0);
    let mut again = unit(&queue, &delivery, &clock).await?;
    again.write(|tx| tx.execute_batch("create table written (by text)"));
    again.end(OutcomeKind::Success).await?;
    let job = queue.get(lost.id()).await?.ok_or("the job is gone")?;
    assert_eq!(job.state, State::Completed);
    Ok(())
}

/// H78: A job that a write of a unit of work enqueues inherits the meta of the unit's job; one of another thread does not.
#[tokio::test]
async fn a_job_that_a_unit_of_work_enqueues_inherits_meta() -> TestResult {
    let clock = VirtualClock::new();
    let queue = SqliteQueue::builder(":memory:").clock(clock.clone()).open().await?;
    queue.enqueue(receipt::new(1)).meta("tenant", "acme").await?;
    let delivery = queue.claim(&Demand::new("default", 1)).await?.remove(0);
    let mut unit = unit(&queue, &delivery, &clock).await?;
    let (inner, stored) = (queue.clone(), JobId::from_u128(7));
    unit.write(move |tx| {
        let job = NewJob::from(receipt::new(2)).id(stored).meta("step", "2");
        inner.enqueue_in(tx, job).map(drop)
    });

    unit.end(OutcomeKind::Success).await?;

    let job = queue.get(stored).await?.ok_or("the job was not stored")?;
    assert_eq!((job.meta.get("tenant"), job.meta.get("step")), (Some("acme"), Some("2")));
    let outside = queue.enqueue(receipt::new(3)).await?.id();
    let job = queue.get(outside).await?.ok_or("the job was not stored")?;
    assert!(job.meta.is_empty(), "{:?}", job.meta);
    Ok(())
}
