//! A job that charges a card and books the order in a unit of work, in a kit over PostgreSQL and crashed everywhere.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use queue_core::{BoxError, Job, JobContext, JobError, QueueExt as _, State, background_job, jobs};
use queue_postgres::sqlx::{AssertSqlSafe, Connection as _, PgConnection, query};
use queue_postgres::{PostgresQueue, PostgresUnitOfWork};
use queue_testkit::explore::ExploreError;
use queue_testkit::{TestKit, crash_everywhere};

use crate::fixture::{TestResult, number, run, schema, url};

/// A bank that knows a charge again by its key, if it has one.
#[derive(Default)]
struct Bank(Mutex<(HashSet<String>, usize)>);

impl Bank {
    async fn charge(&self, key: Option<String>) {
        tokio::task::yield_now().await;
        let mut charged = self.0.lock().expect("the charges");
        if key.is_none_or(|key| charged.0.insert(key)) {
            charged.1 += 1;
        }
    }
}

/// The schema of the shop's tables.
struct Schema(String);

impl Schema {
    async fn book(&self, tx: &mut PostgresUnitOfWork) -> Result<(), JobError> {
        let insert = format!("insert into {}.orders values (1)", self.0);
        query(AssertSqlSafe(insert)).execute(&mut **tx).await?;
        Ok(())
    }
}

#[background_job(timeout = "20s")]
async fn sell_carelessly(
    #[inject] tx: &mut PostgresUnitOfWork,
    #[inject] bank: &Bank,
    #[inject] schema: &Schema,
) -> Result<(), JobError> {
    bank.charge(None).await;
    schema.book(tx).await
}

#[background_job(timeout = "20s")]
async fn sell(
    #[inject] tx: &mut PostgresUnitOfWork,
    #[inject] bank: &Bank,
    #[inject] schema: &Schema,
    #[inject] context: &JobContext,
) -> Result<(), JobError> {
    bank.charge(Some(context.id().to_string())).await;
    schema.book(tx).await
}

struct Shop {
    bank: Arc<Bank>,
    connection: tokio::sync::Mutex<PgConnection>,
    schema: String,
}

/// Creates a shop with a schema of its own, and a job for it.
async fn shop<J: Job>(job: J) -> Result<(TestKit, Shop), BoxError> {
    let (schema, bank) = (schema(), Arc::new(Bank::default()));
    let mut connection = PgConnection::connect(&url()).await?;
    let queue = PostgresQueue::builder(url()).schema(&schema);
    let queue = queue.test_clock(queue_testkit::VirtualClock::START).connect().await?;
    run(&mut connection, format!("create table {schema}.orders (item integer not null)")).await?;
    let kit = TestKit::over(queue.clone())
        .jobs(jobs![sell, sell_carelessly])
        .singleton_as(bank.clone())
        .singleton(Schema(schema.clone()))
        .with(|services| services.unit_of_work(queue.unit_of_work(), PostgresUnitOfWork::end))
        .build()?;
    kit.queue().enqueue(job).await?;
    Ok((kit, Shop { bank, connection: connection.into(), schema }))
}

/// Checks on the database that one order is booked and that the card was charged once.
async fn sold_once((_, shop): &(TestKit, Shop)) -> Result<(), String> {
    let orders = format!("select count(*) from {}.orders", shop.schema);
    let orders =
        number(&mut *shop.connection.lock().await, orders).await.map_err(|error| error.to_string())?;
    let charges = shop.bank.0.lock().expect("the charges").1;
    if (orders, charges) == (1, 1) { Ok(()) } else { Err(format!("{charges} charges, {orders} orders")) }
}

/// T26
#[tokio::test]
async fn a_job_commits_its_unit_of_work_in_a_kit() -> TestResult {
    let world = shop(sell::new()).await?;

    world.0.run_until_idle().await?.expect_success();

    assert_eq!(world.0.jobs()[0].state, State::Completed);
    sold_once(&world).await?;
    Ok(())
}

/// T26
#[tokio::test]
async fn wherever_the_worker_crashes_a_charge_by_key_and_a_booking_happen_once() -> TestResult {
    let explored = crash_everywhere(async || shop(sell::new()).await).check_async(sold_once).await?;

    assert!(explored.crashes >= 8, "{explored:?}");
    Ok(())
}

/// T9, T26
#[tokio::test]
async fn a_charge_without_a_key_is_caught_by_file_and_line() {
    let found = crash_everywhere(async || shop(sell_carelessly::new()).await).check_async(sold_once).await;

    let Err(ExploreError::Broken { breaks, .. }) = &found else { panic!("{found:?}") };
    let text = found.as_ref().unwrap_err().to_string();
    let line = 1 + include_str!("sales.rs").lines().position(|line| line.contains("charge(None)")).unwrap();
    let after = format!("{}:{line}:5: after `bank.charge(None)`, in `sell_carelessly`", file!());
    assert!(text.contains(&after), "{after} in:\n{text}");
    assert!(breaks.iter().all(|found| found.message == "2 charges, 1 orders"), "{text}");
}
