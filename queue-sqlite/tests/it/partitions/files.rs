//! Partitions in a file: across restarts, with several handles, and after their jobs have ended.

use std::time::Duration;

use queue_core::admin::{LimitRecord, Usage, UsageRequest};
use queue_core::{
    Admin as _, Clock as _, Demand, Limit, LimitScope, NewJob, Partition, Queue as _, QueueLimits, QueueName,
    Settlement, Transition,
};
use queue_sqlite::SqliteQueue;
use queue_sqlite::rusqlite::Connection;
use queue_testkit::VirtualClock;

use crate::fixture::{TestResult, work};

const MINUTE: Duration = Duration::from_secs(60);

fn job(partition: &str) -> NewJob {
    NewJob::from(work::new(1)).partition(partition)
}

fn demand(max: usize) -> Demand {
    Demand::new("default", max).wait(Duration::ZERO).lease(10 * MINUTE)
}

#[tokio::test]
async fn limits_counts_and_holds_survive_a_restart() -> TestResult {
    let folder = tempfile::tempdir()?;
    let (path, clock) = (folder.path().join("jobs.db"), VirtualClock::new());
    let name = QueueName::new("default");
    let open = async || SqliteQueue::builder(&path).clock(clock.clone()).open().await;
    let limits = QueueLimits::each(Limit::running(1)).and_partition("acme", Limit::running(2));
    let request = UsageRequest::of("default");
    let queue = open().await?;
    queue.declare_limits(&name, &limits).await?;
    queue.set_limit(&name, &LimitScope::Total, Some(Limit::running(4))).await?;
    queue.push(["acme", "acme", "acme", "globex", "globex", "initech"].map(job).into()).await?;
    let running = queue.claim(&demand(9)).await?;
    assert_eq!(running.len(), 4);
    let at = clock.now().saturating_add(MINUTE);
    let throttled = running.into_iter().rfind(|job| job.partition == "initech".into()).ok_or("no job")?;
    queue.settle(vec![Settlement::new(throttled.lease, Transition::Throttle { at })]).await?;
    let before = queue.usage(&request).await?;
    drop(queue);

    let queue = open().await?;

    assert_eq!(queue.usage(&request).await?, before);
    assert_eq!(queue.claim(&demand(9)).await?.len(), 0);
    let records = queue.limits(&name).await?;
    let expected = [
        LimitRecord::new(LimitScope::Total, None, Some(Limit::running(4))),
        LimitRecord::new(LimitScope::Each, Some(Limit::running(1)), None),
        LimitRecord::new(LimitScope::One("acme".into()), Some(Limit::running(2)), None),
    ];
    assert_eq!(records, expected);
    clock.advance(MINUTE);
    let partitions: Vec<_> = queue.claim(&demand(9)).await?.into_iter().map(|job| job.partition).collect();
    assert_eq!(partitions, [Partition::new("initech")]);
    Ok(())
}

#[tokio::test]
async fn a_limit_binds_the_claims_of_two_handles_and_wakes_both() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let (one, other) = (SqliteQueue::open(&path).await?, SqliteQueue::open(&path).await?);
    let name = QueueName::new("default");
    one.set_limit(&name, &LimitScope::Each, Some(Limit::running(1))).await?;
    other.push(["acme", "acme", "globex"].map(job).into()).await?;

    assert_eq!(one.claim(&demand(2)).await?.len(), 2);
    assert_eq!(other.claim(&demand(2)).await?.len(), 0);
    let waiting = tokio::spawn({
        let other = other.clone();
        async move { other.claim(&Demand::new("default", 2)).await }
    });
    one.set_limit(&name, &LimitScope::Each, None).await?;

    assert_eq!(waiting.await??.len(), 1);
    assert_eq!(one.diagnose().await?, []);
    Ok(())
}

#[tokio::test]
async fn counts_include_the_jobs_that_another_handle_has_pushed_and_claimed() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let (one, other) = (SqliteQueue::open(&path).await?, SqliteQueue::open(&path).await?);
    one.push(["acme", "acme"].map(job).into()).await?;
    other.push(["acme", "acme", "globex"].map(job).into()).await?;
    assert_eq!(one.claim(&demand(1)).await?.len(), 1);
    assert_eq!(other.claim(&demand(2)).await?.len(), 2);

    one.push(["acme", "globex"].map(job).into()).await?;

    let usage = one.usage(&UsageRequest::of("default")).await?;
    let counts = |usage: Usage| (usage.ready, usage.running);
    assert_eq!(counts(usage.total), (4, 3));
    let partitions: Vec<_> =
        usage.partitions.iter().map(|of| (of.partition.as_str(), counts(of.usage))).collect();
    assert_eq!(partitions, [("acme", (3, 2)), ("globex", (1, 1))]);
    assert_eq!(one.diagnose().await?, []);
    Ok(())
}

/// A transaction deletes those of which nothing has to be remembered; the next job of one creates it again.
#[tokio::test]
async fn partitions_without_jobs_are_deleted_unless_a_rate_or_a_hold_has_an_effect() -> TestResult {
    let folder = tempfile::tempdir()?;
    let (path, clock) = (folder.path().join("jobs.db"), VirtualClock::new());
    let name = QueueName::new("default");
    let open = async || SqliteQueue::builder(&path).clock(clock.clone()).open().await;
    let queue = open().await?;
    let slow = QueueLimits::partition("slow", Limit::starts(1, MINUTE));
    queue.declare_limits(&name, &slow).await?;
    queue.push(["acme", "globex", "slow"].map(job).into()).await?;
    let claimed = queue.claim(&demand(9)).await?;
    let complete = |lease| Settlement::new(lease, Transition::complete());
    queue.settle(claimed.into_iter().map(|job| complete(job.lease)).collect()).await?;
    queue.push(vec![job("globex")]).await?;
    drop(queue);
    let partitions = || -> Result<Vec<String>, Box<dyn std::error::Error + Send + Sync>> {
        let connection = Connection::open(&path)?;
        let mut select = connection.prepare("select name from queue_partitions order by name")?;
        Ok(select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    };
    assert_eq!(partitions()?, ["", "acme", "globex", "slow"]);

    // The first transaction of a handle prunes.
    let queue = open().await?;
    queue.push(vec![NewJob::from(work::new(1)).queue("other")]).await?;

    assert_eq!(partitions()?, ["", "globex", "slow"]);
    queue.push(["acme", "slow"].map(job).into()).await?;
    let claimed: Vec<_> = queue.claim(&demand(9)).await?.into_iter().map(|job| job.partition).collect();
    assert_eq!(claimed, ["globex", "acme"].map(Partition::new));
    assert_eq!(queue.diagnose().await?, []);
    Ok(())
}

/// A claim deals the jobs that are there, whatever another program has made of the counts.
#[tokio::test]
async fn counts_that_are_too_high_are_corrected_and_found_by_a_diagnosis() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let queue = SqliteQueue::open(&path).await?;
    queue.push(["acme", "acme"].map(job).into()).await?;
    let connection = Connection::open(&path)?;
    connection.busy_timeout(Duration::from_secs(30))?;
    connection.execute_batch("update queue_partitions set ready = 5 where name = 'acme'")?;

    let findings = queue.diagnose().await?;
    assert!(findings.iter().any(|finding| finding.what.contains("a partition counts its")), "{findings:?}");
    assert_eq!(queue.claim(&demand(9)).await?.len(), 2);

    let usage = queue.usage(&UsageRequest::of("default").partition("acme")).await?;
    assert_eq!(
        usage.partitions.iter().map(|of| (of.usage.ready, of.usage.running)).collect::<Vec<_>>(),
        [(0, 2)]
    );
    connection.execute_batch("update queue_totals set ready = 0")?;
    assert_eq!(queue.diagnose().await?, []);
    Ok(())
}
