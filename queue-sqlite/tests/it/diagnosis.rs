//! A diagnosis finds what was broken on purpose, with its cure, and nothing in a file that only the queue has changed.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use queue_core::admin::{Check, Finding, Severity};
use queue_core::{
    Admin as _, Announcement, BoxError, Demand, Queue as _, QueueExt as _, Settlement, Transition,
};
use queue_sqlite::rusqlite::Connection;
use queue_sqlite::{SqliteQueue, Synchronous};
use queue_testkit::VirtualClock;
use tempfile::TempDir;

use crate::fixture::{TestResult, work};

/// Creates a file with jobs of all kinds.
async fn filled() -> Result<(SqliteQueue, PathBuf, TempDir), BoxError> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let queue = SqliteQueue::open(&path).await?;
    for number in 0..4 {
        queue.enqueue(work::new(number)).unique(format!("key {number}")).await?;
    }
    queue.enqueue(work::new(4)).delay(Duration::from_secs(3600)).await?;
    queue.enqueue(work::new(5)).priority(9).meta("long", "x".repeat(1000)).await?;
    let claimed = queue.claim(&Demand::new("default", 2)).await?;
    let discard = |lease| Settlement::new(lease, Transition::Discard { error: "no".into() });
    queue.settle(claimed.into_iter().take(1).map(|job| discard(job.lease)).collect()).await?;
    Ok((queue, path, folder))
}

/// Changes a file as another program would.
fn change(path: &Path, sql: &str) -> TestResult {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(30))?;
    connection.execute_batch(sql)?;
    Ok(())
}

fn whats(findings: &[Finding], check: Check) -> Vec<&str> {
    findings.iter().filter(|finding| finding.check == check).map(|finding| &*finding.what).collect()
}

#[tokio::test]
async fn nothing_is_found_in_a_file_that_only_the_queue_has_changed() -> TestResult {
    let (queue, _, _folder) = filled().await?;

    assert_eq!(queue.diagnose().await?, []);
    Ok(())
}

#[tokio::test]
async fn each_broken_rule_of_the_rows_is_found() -> TestResult {
    let table = [
        ("update queue_jobs set state = 9 where state = 1", "a job has one of the seven states"),
        ("update queue_jobs set state_time = 1 where state = 1", "a time of its state if and only if"),
        ("delete from queue_names", "the queue of a job exists"),
        ("update queue_jobs set payload = null where seq = 2", "a job has a payload"),
        ("delete from queue_payloads", "a job has a payload"),
        (
            "insert into queue_payloads values (99, '1', null)",
            "a payload of `queue_payloads` belongs to a job",
        ),
        ("delete from queue_jobs where state = 5", "a failed attempt belongs to a job"),
        ("update queue_jobs set attempt = 7 where state = 2", "at most as many attempts as claims"),
        ("update queue_jobs set unique_key = null where seq = 2", "a job that owns a unique key has one"),
        ("update queue_jobs set result = '1' where state = 1", "only a completed job has a result"),
    ];
    for (sql, rule) in table {
        let (queue, path, _folder) = filled().await?;
        change(&path, sql)?;

        let findings = queue.diagnose().await?;

        let broken = findings.iter().find(|finding| finding.what.contains(rule));
        assert!(broken.is_some_and(|found| found.severity == Severity::Fault), "`{sql}` breaks {findings:?}");
        assert!(findings.iter().all(|finding| finding.check == Check::Integrity), "{findings:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_table_an_index_a_view_and_a_trigger_that_differ_are_found() -> TestResult {
    let (queue, path, _folder) = filled().await?;
    let sql =
        "drop index queue_jobs_ready; drop view queue_overview; create view queue_overview as select 1 as id;
        drop trigger queue_enqueue_insert; alter table queue_failures add column note text";
    change(&path, sql)?;

    let findings = queue.diagnose().await?;

    let found = whats(&findings, Check::Schema);
    let expected = [
        "the trigger `queue_enqueue_insert` is missing",
        "the table `queue_failures` differs from the one that this program creates",
        "the index `queue_jobs_ready` is missing",
        "the view `queue_overview` differs from the one that this program creates",
    ];
    assert_eq!(found, expected);
    let cures: Vec<_> = findings.iter().filter(|finding| !finding.what.contains("table")).collect();
    for finding in cures {
        let (_, statements) = finding.cure.split_once('`').expect("statements");
        change(&path, statements.trim_end_matches('`'))?;
    }
    assert_eq!(whats(&queue.diagnose().await?, Check::Schema), expected[1..2], "the cures cure");
    Ok(())
}

/// The definition of an index is changed, so its entries no longer match the rows.
#[tokio::test]
async fn an_index_that_does_not_match_its_table_is_found() -> TestResult {
    let (queue, path, _folder) = filled().await?;
    drop(queue);
    change(
        &path,
        "pragma writable_schema = on;
        update sqlite_schema set sql = replace(sql, 'where state = 1', 'where state <> 7') where name = 'queue_jobs_ready'",
    )?;
    let queue = SqliteQueue::open(&path).await?;

    let findings = queue.diagnose().await?;

    assert!(
        whats(&findings, Check::Integrity).iter().any(|what| what.contains("queue_jobs_ready")),
        "{findings:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_queue_that_does_not_wait_for_the_disk_is_found() -> TestResult {
    let folder = tempfile::tempdir()?;
    let builder = SqliteQueue::builder(folder.path().join("jobs.db")).synchronous(Synchronous::Normal);
    let queue = builder.open().await?;

    let findings = queue.diagnose().await?;

    assert_eq!(whats(&findings, Check::Durability).len(), 1, "{findings:?}");
    Ok(())
}

#[tokio::test]
async fn jobs_that_were_pushed_in_the_future_are_found() -> TestResult {
    let (queue, path, _folder) = filled().await?;
    change(&path, "update queue_jobs set pushed_at = pushed_at + 3600000000 where seq < 3")?;

    let findings = queue.diagnose().await?;

    let found = whats(&findings, Check::Clock);
    assert!(
        found.len() == 1 && found[0].starts_with("jobs pushed in the future: 2, up to 3"),
        "{findings:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_log_that_a_reader_keeps_from_being_emptied_is_found() -> TestResult {
    let (queue, path, _folder) = filled().await?;
    let log = OpenOptions::new().write(true).open(path.with_extension("db-wal"))?;
    log.set_len(300 << 20)?;

    let findings = queue.diagnose().await?;

    assert_eq!(whats(&findings, Check::Maintenance).len(), 1, "{findings:?}");
    Ok(())
}

#[tokio::test]
async fn a_worker_that_vanished_with_a_lease_is_found() -> TestResult {
    let folder = tempfile::tempdir()?;
    let clock = VirtualClock::new();
    let queue = SqliteQueue::builder(folder.path().join("jobs.db")).clock(clock.clone()).open().await?;
    queue.enqueue(work::new(1)).await?;
    let mut announcement = Announcement::new("host/1/mail".into());
    announcement.valid_for = Duration::from_secs(5);
    queue.announce(&announcement).await?;
    let claim = Demand::new("default", 1).worker("host/1/mail").lease(Duration::from_secs(600));
    queue.claim(&claim).await?;
    assert_eq!(queue.diagnose().await?, []);
    clock.advance(Duration::from_secs(6));

    let findings = queue.diagnose().await?;

    let found = whats(&findings, Check::Workers);
    assert!(
        found.len() == 1 && found[0].contains("host/1/mail has vanished, and holds 1 lease"),
        "{findings:?}"
    );
    assert!(findings[0].cure.contains("600 s"), "{findings:?}");
    Ok(())
}

#[tokio::test]
async fn a_schema_of_a_newer_program_is_not_compared() -> TestResult {
    let (queue, path, _folder) = filled().await?;
    change(&path, "insert into queue_schema_migrations values (99, 1); drop view queue_overview")?;

    let findings = queue.diagnose().await?;

    assert_eq!(findings.iter().map(|finding| finding.severity).collect::<Vec<_>>(), [Severity::Note]);
    Ok(())
}
