//! Jobs of partitions that are stored by SQL, in an application's transaction, and in a unit of work.

use std::time::Duration;

use queue_core::admin::UsageRequest;
use queue_core::{
    Admin as _, BoxError, Delivery, Demand, NewJob, Partition, Queue as _, QueueError, Services,
    background_job, jobs,
};
use queue_sqlite::rusqlite::{Connection, TransactionBehavior};
use queue_sqlite::{SqliteQueue, SqliteUnitOfWork};
use queue_testkit::Recorder;
use queue_tokio::{Host, QueueService};
use tempfile::TempDir;

use crate::fixture::{TestResult, work};

async fn opened() -> Result<(SqliteQueue, Connection, TempDir), BoxError> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let queue = SqliteQueue::open(&path).await?;
    let connection = Connection::open(&path)?;
    connection.busy_timeout(Duration::from_secs(30))?;
    Ok((queue, connection, folder))
}

async fn claimed(queue: &SqliteQueue) -> Result<Vec<Partition>, QueueError> {
    let demand = Demand::new("default", 9).wait(Duration::ZERO);
    let claimed: Vec<Delivery> = queue.claim(&demand).await?;
    Ok(claimed.into_iter().map(|job| job.partition).collect())
}

#[tokio::test]
async fn an_insert_with_a_partition_makes_the_queue_shared() -> TestResult {
    let (queue, connection, _folder) = opened().await?;
    let insert = "insert into queue_enqueue (name, partition) values ('work', nullif(?1, ''))";

    for partition in ["", "", "acme", "acme", "globex", ""] {
        connection.execute(insert, [partition])?;
    }

    let usage = queue.usage(&UsageRequest::of("default")).await?;
    let ready: Vec<_> = usage.partitions.iter().map(|of| (of.partition.as_str(), of.usage.ready)).collect();
    assert_eq!((usage.total.ready, ready), (6, vec![("", 3), ("acme", 2), ("globex", 1)]));
    assert_eq!(claimed(&queue).await?, ["", "acme", "globex", "", "acme", ""].map(Partition::new));
    assert_eq!(queue.diagnose().await?, []);
    Ok(())
}

#[tokio::test]
async fn a_partition_that_a_push_refuses_is_refused() -> TestResult {
    let (_queue, connection, _folder) = opened().await?;
    let insert = |partition: &str| {
        connection.execute("insert into queue_enqueue (name, partition) values ('work', ?1)", [partition])
    };

    for refused in ["x".repeat(129), "a\tb".into(), "a\u{7f}".into(), "\u{85}".into(), "\0".into()] {
        let error = insert(&refused).expect_err(&refused).to_string();
        assert!(error.contains("`partition` must be text of at most 128 bytes"), "{error}");
    }
    for accepted in ["x".repeat(128), "a b".into(), "ü [*]-^".into(), "\u{a0}".into()] {
        insert(&accepted)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_push_in_a_transaction_is_counted_if_it_commits() -> TestResult {
    let (queue, mut connection, _folder) = opened().await?;
    queue.push(vec![NewJob::from(work::new(1))]).await?;

    for commits in [false, true] {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        queue.enqueue_in(&tx, NewJob::from(work::new(2)).partition("acme"))?;
        queue.enqueue_in(&tx, NewJob::from(work::new(3)).partition("acme"))?;
        if commits { tx.commit()? } else { tx.rollback()? }
    }

    assert_eq!(queue.diagnose().await?, []);
    assert_eq!(claimed(&queue).await?, ["", "acme", "acme"].map(Partition::new));
    assert_eq!(queue.diagnose().await?, []);
    Ok(())
}

/// Stores jobs in two ways within the transaction of its completion.
#[background_job(max_attempts = 1)]
async fn fan_out(#[inject] db: &mut SqliteUnitOfWork, #[inject] queue: &SqliteQueue, fails: bool) {
    let queue = queue.clone();
    db.write(move |tx| -> Result<(), BoxError> {
        let job = |number| NewJob::from(work::new(number)).queue("work").partition("acme");
        queue.enqueue_in(tx, job(1))?;
        tx.execute("insert into queue_enqueue (name, queue, partition) values ('work', 'work', 'acme')", [])?;
        queue.enqueue_in(tx, job(2))?;
        if fails { Err("no".into()) } else { Ok(()) }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_of_a_unit_of_work_are_counted_if_it_commits() -> TestResult {
    let (queue, _connection, _folder) = opened().await?;
    let services = Services::builder()
        .unit_of_work(queue.unit_of_work(), SqliteUnitOfWork::end)
        .singleton(queue.clone())
        .build()?;
    let recorder = Recorder::with_deadline(Duration::from_secs(60));
    let service =
        QueueService::new(queue.clone(), jobs![fan_out]).queues(["default"]).observe(recorder.clone());
    let _running = Host::builder().services(services).service(service).build()?.start().await?;
    for (fails, ready) in [(true, 0), (false, 3)] {
        queue.push(vec![NewJob::from(fan_out::new(fails)).partition("tenant")]).await?;

        recorder.wait_for_settled::<fan_out>(if fails { 1 } else { 2 }).await;

        assert_eq!(queue.usage(&UsageRequest::of("work")).await?.total.ready, ready);
        assert_eq!(queue.diagnose().await?, []);
    }
    Ok(())
}
