//! `#[queue_testkit::test(postgres)]` passes a private database to a test.

use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use queue_core::{Admin as _, BoxError, JobContext, JobError, QueueExt as _, background_job, jobs};
use queue_postgres::PostgresUnitOfWork;
use queue_postgres::sqlx::{self, Connection as _, PgConnection};
use queue_testkit::{TestKit, TestPostgres};
use test_servers::{Durability, Postgres};

#[background_job]
async fn work() {}

static SETUPS: AtomicU32 = AtomicU32::new(0);

async fn create_orders(db: &TestPostgres) -> Result<(), BoxError> {
    SETUPS.fetch_add(1, Ordering::SeqCst);
    sqlx::query("create table orders (id serial primary key)").execute(db.pool()).await?;
    db.queue().enqueue(work::new()).await?;
    Ok(())
}

async fn count(db: &TestPostgres) -> sqlx::Result<i64> {
    sqlx::query_scalar("select count(*) from orders").fetch_one(db.pool()).await
}

/// Returns the name of a database, and a connection to another one of its server.
async fn name_and_neighbour(db: &TestPostgres) -> sqlx::Result<(String, PgConnection)> {
    let name: String = sqlx::query_scalar("select current_database()").fetch_one(db.pool()).await?;
    let neighbour = db.url().replace(&name, "postgres");
    Ok((name, PgConnection::connect(&neighbour).await?))
}

async fn exists(connection: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    let exists = "select exists (select from pg_database where datname = $1)";
    sqlx::query_scalar(exists).bind(name).fetch_one(connection).await
}

#[queue_testkit::test(postgres, setup = create_orders)]
async fn a_test_has_what_its_setup_created_and_no_more(db: TestPostgres) -> Result<(), BoxError> {
    let other = db.another().await?;

    sqlx::query("insert into orders default values").execute(db.pool()).await?;
    db.queue().enqueue(work::new()).await?;

    assert_eq!((count(&db).await?, count(&other).await?), (1, 0));
    let unfinished = async |db: &TestPostgres| -> Result<u64, BoxError> {
        Ok(db.queue().counts().await?.iter().map(|queue| queue.unfinished()).sum())
    };
    assert_eq!((unfinished(&db).await?, unfinished(&other).await?), (2, 1));
    Ok(())
}

#[background_job(max_attempts = 2, backoff = fixed("1h"))]
async fn order(
    #[inject] tx: &mut PostgresUnitOfWork,
    #[inject] context: &JobContext,
) -> Result<(), JobError> {
    sqlx::query("insert into orders default values").execute(&mut **tx).await?;
    if context.attempt() == 1 { Err("the first attempt fails".into()) } else { Ok(()) }
}

#[queue_testkit::test(postgres, setup = create_orders)]
async fn a_kit_moves_the_clock_of_the_database(db: TestPostgres) -> Result<(), BoxError> {
    let unit = db.queue().unit_of_work();
    let kit = TestKit::over(db.queue().clone())
        .jobs(jobs![work, order])
        .with(|services| services.unit_of_work(unit, PostgresUnitOfWork::end))
        .build()?;
    kit.queue().enqueue(order::new()).await?;

    let run = kit.run_until_idle().await?;

    assert_eq!((run.attempts_of::<order>(), count(&db).await?), (2, 1));
    Ok(())
}

#[queue_testkit::test(postgres)]
async fn a_forgotten_unit_of_work_is_named(db: TestPostgres) -> Result<(), BoxError> {
    let built = TestKit::over(db.queue().clone()).jobs(jobs![order]).build();

    let text = built.expect_err("the unit of work is missing").to_string();
    assert!(text.contains("`order`") && text.contains("unit_of_work"), "{text}");
    Ok(())
}

/// Eight threads at once, as a runner of tests has them.
#[test]
fn the_setup_runs_once_for_all_tests() {
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                queue_testkit::private::run_with_postgres(create_orders, async |db| {
                    assert_eq!(count(&db).await.expect("a count"), 0);
                });
            });
        }
    });

    // Another process of the same run may have created the template.
    assert!(SETUPS.load(Ordering::SeqCst) <= 1);
}

#[queue_testkit::test(postgres)]
async fn a_database_is_dropped_when_its_test_panics(db: &TestPostgres) -> Result<(), BoxError> {
    let seen = Mutex::new(None);
    std::thread::scope(|scope| {
        let test = scope.spawn(|| {
            queue_testkit::private::run_with_postgres(create_orders, async |db| {
                let (name, _) = name_and_neighbour(&db).await.expect("a name");
                *seen.lock().expect("a name") = Some(name);
                panic!("no such thing");
            });
        });
        assert!(test.join().is_err());
    });

    let seen = seen.lock().ok().and_then(|name| name.clone()).expect("the test began");
    let (own, mut neighbour) = name_and_neighbour(db).await?;
    assert!(exists(&mut neighbour, &own).await?);
    assert!(!exists(&mut neighbour, &seen).await?);
    Ok(())
}

/// Runs a test of this program in a process of its own.
fn run_alone(test: &str, variable: &str, value: &str) -> std::io::Result<Output> {
    let mut program = Command::new(std::env::current_exe()?);
    program
        .args([&format!("database::postgres::{test}"), "--exact", "--nocapture"])
        .env(variable, value)
        .output()
}

#[expect(clippy::print_stdout, reason = "read by another process, or by the reader of the measurement")]
fn print(text: &str) {
    println!("{text}");
}

/// Set in the process in which the next test kills itself.
const KILLED: &str = "QUEUE_TESTKIT_KILLED";

#[queue_testkit::test(postgres)]
async fn databases_of_a_killed_program_are_dropped_by_the_next(db: &TestPostgres) -> Result<(), BoxError> {
    let (name, mut neighbour) = name_and_neighbour(db).await?;
    if std::env::var_os(KILLED).is_some() {
        print(&format!("database {name}."));
        std::process::abort();
    }
    let test = "databases_of_a_killed_program_are_dropped_by_the_next";
    let killed = run_alone(test, KILLED, "yes")?;
    let said = String::from_utf8_lossy(&killed.stdout).into_owned();
    let left = said.split("database ").nth(1).and_then(|text| text.split('.').next()).expect("its name");
    assert!(exists(&mut neighbour, left).await?, "{left} is left");

    let next = run_alone("a_database_is_dropped_when_its_test_panics", "_", "")?;

    assert!(next.status.success(), "{}", String::from_utf8_lossy(&next.stderr));
    assert!(!exists(&mut neighbour, left).await?);
    assert!(exists(&mut neighbour, &name).await?);
    Ok(())
}

#[test]
fn a_server_that_is_given_is_used() -> Result<(), BoxError> {
    let server = Postgres::start(Durability::Process, &[])?;
    let test = "a_test_has_what_its_setup_created_and_no_more";

    let given = run_alone(test, "TEST_POSTGRES_URL", &server.url("postgres"))?;
    server.stop();
    let unreachable = run_alone(test, "TEST_POSTGRES_URL", &server.url("postgres"))?;

    assert!(given.status.success(), "{}", String::from_utf8_lossy(&given.stderr));
    assert!(!unreachable.status.success());
    Ok(())
}

#[test]
fn the_error_of_an_unreachable_server_names_the_variable() -> Result<(), BoxError> {
    let url = "postgres://me@127.0.0.1:1/test";
    let test = "a_test_has_what_its_setup_created_and_no_more";

    let failed = run_alone(test, "TEST_POSTGRES_URL", url)?;

    let said = [failed.stdout, failed.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(!failed.status.success(), "{said}");
    assert!(said.contains("the server that TEST_POSTGRES_URL names can't be reached"), "{said}");
    assert!(said.contains("refused"), "{said}");
    Ok(())
}

#[queue_testkit::test(postgres)]
async fn a_database_is_created_within_tens_of_milliseconds(db: &TestPostgres) -> Result<(), BoxError> {
    let mut times = Vec::new();
    for _ in 0..10 {
        let began = Instant::now();
        drop(db.another().await?);
        times.push(began.elapsed());
    }

    times.sort();
    print(&format!("a test's database costs {:?} (median of 10: {times:?})", times[5]));
    assert!(times[0] < Duration::from_secs(1), "{times:?}");
    Ok(())
}
