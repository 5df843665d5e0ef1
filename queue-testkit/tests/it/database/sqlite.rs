//! `#[queue_testkit::test(sqlite)]` passes a private file to a test.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use queue_core::{Admin as _, BoxError, JobContext, JobError, QueueExt as _, background_job, jobs};
use queue_sqlite::{SqliteUnitOfWork, rusqlite};
use queue_testkit::{DatabaseError, TestKit, TestSqlite};

#[background_job]
async fn work() {}

static SETUPS: AtomicU32 = AtomicU32::new(0);

async fn create_orders(db: &TestSqlite) -> Result<(), BoxError> {
    SETUPS.fetch_add(1, Ordering::SeqCst);
    db.connect()?.execute_batch("create table orders (id integer primary key)")?;
    db.queue().enqueue(work::new()).await?;
    Ok(())
}

fn count(db: &TestSqlite) -> rusqlite::Result<u32> {
    db.connect()?.query_row("select count(*) from orders", [], |row| row.get(0))
}

#[queue_testkit::test(sqlite, setup = create_orders)]
async fn a_test_has_what_its_setup_created_and_no_more(db: TestSqlite) -> Result<(), BoxError> {
    let other = db.another().await?;

    db.connect()?.execute("insert into orders default values", [])?;
    db.queue().enqueue(work::new()).await?;

    assert_eq!((count(&db)?, count(&other)?), (1, 0));
    let unfinished = async |db: &TestSqlite| -> Result<u64, BoxError> {
        Ok(db.queue().counts().await?.iter().map(|queue| queue.unfinished()).sum())
    };
    assert_eq!((unfinished(&db).await?, unfinished(&other).await?), (2, 1));
    Ok(())
}

#[background_job(max_attempts = 2, backoff = fixed("1h"))]
async fn order(
    #[inject] unit: &mut SqliteUnitOfWork,
    #[inject] context: &JobContext,
) -> Result<(), JobError> {
    unit.write(|tx| tx.execute("insert into orders default values", []));
    if context.attempt() == 1 { Err("the first attempt fails".into()) } else { Ok(()) }
}

#[queue_testkit::test(sqlite, setup = create_orders)]
async fn a_kit_moves_the_clock_of_the_file(db: TestSqlite) -> Result<(), BoxError> {
    let unit = db.queue().unit_of_work();
    let kit = TestKit::over(db.queue().clone())
        .jobs(jobs![work, order])
        .with(|services| services.unit_of_work(unit, SqliteUnitOfWork::end))
        .build()?;
    kit.queue().enqueue(order::new()).await?;

    let run = kit.run_until_idle().await?;

    assert_eq!((run.attempts_of::<order>(), count(&db)?), (2, 1));
    Ok(())
}

#[queue_testkit::test(sqlite, setup = create_orders)]
async fn the_setup_runs_once_for_all_tests(db: &TestSqlite) -> Result<(), BoxError> {
    let others = (TestSqlite::create(create_orders).await?, TestSqlite::create(create_orders).await?);

    assert_eq!((count(db)?, count(&others.0)?, count(&others.1)?), (0, 0, 0));
    assert_eq!(SETUPS.load(Ordering::SeqCst), 1);
    Ok(())
}

#[test]
fn the_file_of_a_test_that_panics_is_deleted() {
    let path = Mutex::new(None);

    let ended = std::panic::catch_unwind(|| {
        queue_testkit::private::run_with_sqlite(create_orders, async |db| {
            *path.lock().expect("a path") = Some(db.path().to_owned());
            panic!("no such thing");
        });
    });

    assert!(ended.is_err());
    let path = path.lock().ok().and_then(|path| path.clone()).expect("the test began");
    assert!(!path.exists() && !path.parent().expect("a folder").exists(), "{}", path.display());
}

#[tokio::test]
async fn the_error_of_a_setup_is_shown() {
    async fn forget_the_table(db: &TestSqlite) -> rusqlite::Result<()> {
        db.connect()?.execute("insert into orders default values", []).map(drop)
    }

    let failed: Result<TestSqlite, DatabaseError> = TestSqlite::create(forget_the_table).await;

    let text = format!("{:?}", failed.expect_err("there is no table"));
    assert!(text.contains("the setup of the test's database failed"), "{text}");
    assert!(text.contains("no such table: orders"), "{text}");
}

/// A queue of production would remove them after a day, at a write of its own.
#[queue_testkit::test(sqlite)]
async fn finished_jobs_are_kept_however_much_time_the_kit_lets_pass(db: TestSqlite) -> Result<(), BoxError> {
    let kit = TestKit::over(db.queue().clone()).jobs(jobs![work]).build()?;
    kit.queue().enqueue(work::new()).await?;
    kit.run_until_idle().await?;

    for _ in 0..3 {
        kit.advance(Duration::from_secs(30 * 24 * 60 * 60)).await;
        kit.queue().enqueue(work::new()).await?;
        kit.run_until_idle().await?;
    }

    assert_eq!(kit.jobs().len(), 4);
    Ok(())
}
