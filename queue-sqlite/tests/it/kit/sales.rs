//! A job that charges a card and books the order in a unit of work, in a kit over a file and crashed everywhere.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use queue_core::{BoxError, Job, JobContext, QueueExt as _, State, background_job, jobs};
use queue_sqlite::rusqlite::Connection;
use queue_sqlite::{SqliteQueue, SqliteUnitOfWork};
use queue_testkit::explore::ExploreError;
use queue_testkit::{TestKit, VirtualClock, crash_everywhere};
use tempfile::TempDir;

use crate::fixture::TestResult;

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

fn book(tx: &mut SqliteUnitOfWork) {
    tx.write(|tx| tx.execute("insert into orders values (1)", []));
}

#[background_job(timeout = "20s")]
async fn sell_carelessly(#[inject] tx: &mut SqliteUnitOfWork, #[inject] bank: &Bank) {
    bank.charge(None).await;
    book(tx);
}

#[background_job(timeout = "20s")]
async fn sell(#[inject] tx: &mut SqliteUnitOfWork, #[inject] bank: &Bank, #[inject] context: &JobContext) {
    bank.charge(Some(context.id().to_string())).await;
    book(tx);
}

struct Shop {
    bank: Arc<Bank>,
    folder: TempDir,
}

/// Creates a shop with a file of its own, and a job for it.
async fn shop<J: Job>(job: J) -> Result<(TestKit, Shop), BoxError> {
    let (folder, bank) = (tempfile::tempdir()?, Arc::new(Bank::default()));
    let path = folder.path().join("jobs.db");
    let queue = SqliteQueue::builder(&path).clock(VirtualClock::new()).open().await?;
    Connection::open(&path)?.execute_batch("create table orders (item integer not null)")?;
    let kit = TestKit::over(queue.clone())
        .jobs(jobs![sell, sell_carelessly])
        .singleton_as(bank.clone())
        .with(|services| services.unit_of_work(queue.unit_of_work(), SqliteUnitOfWork::end))
        .build()?;
    kit.queue().enqueue(job).await?;
    Ok((kit, Shop { bank, folder }))
}

/// Checks on the database that one order is booked and that the card was charged once.
fn sold_once((_, shop): &(TestKit, Shop)) -> Result<(), String> {
    let count = || {
        let connection = Connection::open(shop.folder.path().join("jobs.db"))?;
        connection.query_row("select count(*) from orders", [], |row| row.get::<_, i64>(0))
    };
    let orders = count().map_err(|error| error.to_string())?;
    let charges = shop.bank.0.lock().expect("the charges").1;
    if (orders, charges) == (1, 1) { Ok(()) } else { Err(format!("{charges} charges, {orders} orders")) }
}

/// T26
#[tokio::test]
async fn a_job_commits_its_unit_of_work_in_a_kit() -> TestResult {
    let world = shop(sell::new()).await?;

    world.0.run_until_idle().await?.expect_success();

    assert_eq!(world.0.jobs()[0].state, State::Completed);
    Ok(sold_once(&world)?)
}

/// T26
#[tokio::test]
async fn wherever_the_worker_crashes_a_charge_by_key_and_a_booking_happen_once() -> TestResult {
    let explored = crash_everywhere(async || shop(sell::new()).await).check(sold_once).await?;

    assert!(explored.crashes >= 5, "{explored:?}");
    Ok(())
}

/// T9, T26
#[tokio::test]
async fn a_charge_without_a_key_is_caught_by_file_and_line() {
    let found = crash_everywhere(async || shop(sell_carelessly::new()).await).check(sold_once).await;

    let Err(ExploreError::Broken { breaks, .. }) = &found else { panic!("{found:?}") };
    let text = found.as_ref().unwrap_err().to_string();
    let line = 1 + include_str!("sales.rs").lines().position(|line| line.contains("charge(None)")).unwrap();
    let after = format!("{}:{line}:5: after `bank.charge(None)`, in `sell_carelessly`", file!());
    assert!(text.contains(&after), "{after} in:\n{text}");
    assert!(breaks.iter().all(|found| found.message == "2 charges, 1 orders"), "{text}");
}
