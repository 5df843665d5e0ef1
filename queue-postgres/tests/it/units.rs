//! A job's writes and its completion in one commit (D12).

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use queue_core::{
    Admin as _, BoxError, Event, JobContext, JobError, JobId, JobRecord, Jobs, NewJob, QueueExt as _,
    Services, State, StoredResult, Transition, background_job, jobs,
};
use queue_postgres::sqlx::{self, Connection as _, PgConnection};
use queue_postgres::{PostgresQueue, PostgresUnitOfWork};
use queue_testkit::Recorder;
use queue_tokio::{Host, QueueService, RunningHost};

use crate::fixture::{TestResult, number, run, schema, url};

#[background_job]
pub(crate) async fn receipt(order: i64) {
    let _: i64 = order;
}

/// Adds a cent to the account in the schema that it's given.
pub(crate) async fn add_a_cent(tx: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    let add = format!("update {schema}.accounts set cents = cents + 1");
    sqlx::query(sqlx::AssertSqlSafe(add)).execute(tx).await.map(drop)
}

#[background_job(max_attempts = 1)]
async fn pay(
    #[inject] tx: &mut PostgresUnitOfWork,
    #[inject] context: &JobContext,
    schema: &str,
    how: &str,
) -> Result<(), JobError> {
    add_a_cent(tx, schema).await?;
    context.then(NewJob::from(receipt::new(1)).queue("receipts"));
    match how {
        "succeed" => {}
        "fail" => Err("the card was refused")?,
        "panic" => panic!("the card was eaten"),
        "followup" => context.then(NewJob::from(receipt::new(2)).delay(Duration::MAX)),
        other => {
            let sql = other.replace("{schema}", schema);
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut **tx).await?;
        }
    }
    Ok(())
}

struct Bank {
    queue: PostgresQueue,
    connection: PgConnection,
    schema: String,
    recorder: Recorder,
    _running: RunningHost,
}

/// Creates the table of the accounts.
pub(crate) async fn open_accounts(connection: &mut PgConnection, schema: &str) -> TestResult {
    let tables = format!(
        "create table {schema}.accounts (cents integer); insert into {schema}.accounts values (0);
        create table {schema}.parents (id integer primary key);
        create table {schema}.children (parent integer references {schema}.parents (id) deferrable initially deferred)"
    );
    run(connection, tables).await
}

impl Bank {
    async fn open(jobs: Jobs) -> Result<Self, BoxError> {
        let schema = schema();
        let queue = PostgresQueue::builder(url()).schema(&schema).connect().await?;
        let mut connection = PgConnection::connect(&url()).await?;
        open_accounts(&mut connection, &schema).await?;
        let services = Services::builder()
            .unit_of_work(queue.unit_of_work(), PostgresUnitOfWork::end)
            .singleton(AtomicU32::new(0))
            .build()?;
        let recorder = Recorder::with_deadline(Duration::from_secs(60));
        let service = QueueService::new(queue.clone(), jobs).queues(["default"]).observe(recorder.clone());
        let running = Host::builder().services(services).service(service).build()?.start().await?;
        Ok(Self { queue, connection, schema, recorder, _running: running })
    }

    async fn cents(&mut self) -> Result<i64, BoxError> {
        let cents = format!("select cents::bigint from {}.accounts", self.schema);
        number(&mut self.connection, cents).await
    }

    async fn ended(&self, id: JobId) -> Result<JobRecord, BoxError> {
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

/// D12
#[tokio::test(flavor = "multi_thread")]
async fn writes_completion_and_followups_are_committed_together() -> TestResult {
    let mut bank = Bank::open(jobs![pay]).await?;

    let id = bank.queue.enqueue(pay::new(&bank.schema, "succeed")).await?.id();

    assert_eq!(bank.ended(id).await?.state, State::Completed);
    assert_eq!((bank.cents().await?, bank.receipts().await?), (1, 1));
    Ok(())
}

#[background_job]
async fn count_a_cent(#[inject] tx: &mut PostgresUnitOfWork, schema: &str) -> Result<i64, JobError> {
    add_a_cent(tx, schema).await?;
    let cents = format!("select cents::bigint from {schema}.accounts");
    Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(cents)).fetch_one(&mut **tx).await?)
}

/// D12, Q83
#[tokio::test(flavor = "multi_thread")]
async fn the_result_of_a_job_is_committed_with_its_writes() -> TestResult {
    let mut bank = Bank::open(jobs![count_a_cent]).await?;

    let id = bank.queue.enqueue(count_a_cent::new(&bank.schema)).await?.id();

    let job = bank.ended(id).await?;
    assert_eq!((job.state, job.result), (State::Completed, Some(StoredResult::of(&1)?)));
    assert_eq!(bank.cents().await?, 1);
    Ok(())
}

/// D12
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_writes_nothing_wherever_it_fails() -> TestResult {
    let mut bank = Bank::open(jobs![pay]).await?;
    let table = [
        ("fail", "the card was refused"),
        ("panic", "the card was eaten"),
        ("followup", "leads past the end of time"),
        ("insert into nowhere values (1)", "\"nowhere\" does not exist"),
        ("insert into {schema}.children values (99)", "violates foreign key constraint"),
    ];

    for (how, why) in table {
        let before = bank.cents().await?;
        let id = bank.queue.enqueue(pay::new(&bank.schema, how)).await?.id();
        let job = bank.ended(id).await?;
        let error = job.errors.last().map(|error| error.message.clone()).unwrap_or_default();
        assert_eq!(job.state, State::Discarded, "{how}: {job:?}");
        assert!(error.contains(why), "{how}: {error}");
        assert_eq!((bank.cents().await?, bank.receipts().await?), (before, 0), "{how}");
    }
    Ok(())
}

#[background_job(max_attempts = 3, backoff = fixed("1ms"))]
async fn pay_late(
    #[inject] tx: &mut PostgresUnitOfWork,
    #[inject] tries: &AtomicU32,
    schema: &str,
) -> Result<(), JobError> {
    add_a_cent(tx, schema).await?;
    if tries.fetch_add(1, Ordering::SeqCst) < 2 { Err("not yet")? } else { Ok(()) }
}

/// D12
#[tokio::test(flavor = "multi_thread")]
async fn attempts_before_the_last_leave_nothing_behind() -> TestResult {
    let mut bank = Bank::open(jobs![pay_late]).await?;

    let id = bank.queue.enqueue(pay_late::new(&bank.schema)).await?.id();
    let job = bank.ended(id).await?;

    assert_eq!((job.state, job.attempt, bank.cents().await?), (State::Completed, 3, 1));
    Ok(())
}

#[background_job]
async fn order(
    #[inject] tx: &mut PostgresUnitOfWork,
    #[inject] queue: &PostgresQueue,
) -> Result<(), JobError> {
    queue.enqueue_in(tx, NewJob::from(receipt::new(7)).queue("receipts")).await?;
    Ok(())
}

/// D11, D12, H78: a job pushes in its own transaction, and the pushed jobs inherit its meta.
#[tokio::test(flavor = "multi_thread")]
async fn a_unit_of_work_is_a_transaction_to_push_in() -> TestResult {
    let schema = schema();
    let queue = PostgresQueue::builder(url()).schema(&schema).connect().await?;
    let services = Services::builder()
        .singleton(queue.clone())
        .unit_of_work(queue.unit_of_work(), PostgresUnitOfWork::end)
        .build()?;
    let recorder = Recorder::with_deadline(Duration::from_secs(60));
    let service =
        QueueService::new(queue.clone(), jobs![order]).queues(["default"]).observe(recorder.clone());
    let _running = Host::builder().services(services).service(service).build()?.start().await?;

    queue.enqueue(order::new()).meta("tenant", "acme").await?;

    let receipt = queue_core::Queue::claim(&queue, &queue_core::Demand::new("receipts", 1)).await?;
    assert_eq!(receipt.len(), 1);
    assert_eq!(receipt[0].meta.get("tenant"), Some("acme"));
    Ok(())
}
