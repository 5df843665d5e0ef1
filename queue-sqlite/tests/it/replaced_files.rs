//! Files that are removed or replaced while a queue has them open (D32).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use queue_core::{
    Admin as _, Demand, Heartbeat, NewJob, Queue as _, QueueErrorKind, QueueExt as _, Settlement, Transition,
};
use queue_sqlite::SqliteQueue;
use tempfile::TempDir;

use crate::durable::beside;
use crate::fixture::{TestResult, work};

/// The suffixes of the files of a queue.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

fn is_refused<T: std::fmt::Debug>(what: &str, answer: Result<T, queue_core::QueueError>) {
    let error = answer.expect_err(what);
    assert_eq!(error.kind(), QueueErrorKind::Unavailable, "{what}: {error}");
    assert!(error.to_string().contains("removed or replaced"), "{what}: {error}");
    assert!(error.to_string().contains("open the queue again"), "{what}: {error}");
}

/// Opens a queue in a new folder and pushes a job.
async fn opened() -> Result<(TempDir, PathBuf, SqliteQueue), queue_core::BoxError> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("jobs.db");
    let queue = SqliteQueue::open(&path).await?;
    queue.enqueue(work::new(1)).await?;
    Ok((folder, path, queue))
}

/// Renames all files of a queue.
fn move_all(path: &Path, to: &Path) {
    for suffix in SUFFIXES {
        fs::rename(beside(path, suffix), beside(to, suffix)).expect("a file");
    }
}

/// D32: A push is not acknowledged after any of the three files was removed.
#[tokio::test]
async fn a_push_to_a_file_that_was_removed_is_refused() -> TestResult {
    for suffix in SUFFIXES {
        let (_folder, path, queue) = opened().await?;

        fs::remove_file(beside(&path, suffix))?;

        is_refused(&format!("jobs.db{suffix} was removed"), queue.enqueue(work::new(2)).await);
    }
    Ok(())
}

/// D32: Every operation fails after another file took the name, and a waiting claim fails too.
#[tokio::test]
async fn every_operation_is_refused_after_another_file_took_the_name() -> TestResult {
    let (folder, path, queue) = opened().await?;
    let delivery = queue.claim(&Demand::new("default", 1)).await?.remove(0);
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.claim(&Demand::new("default", 1)).await }
    });
    queue.counts().await?;

    move_all(&path, &folder.path().join("old.db"));
    let new = SqliteQueue::open(&path).await?;

    is_refused("a claim that waits", waiting.await?);
    is_refused("a push", queue.push(vec![NewJob::from(work::new(2))]).await);
    is_refused("a renewal", queue.renew(&[Heartbeat::new(delivery.lease.clone())]).await);
    let done = Settlement::new(delivery.lease.clone(), Transition::complete());
    is_refused("a settlement", queue.settle(vec![done]).await);
    is_refused("a claim", queue.claim(&Demand::new("default", 1).wait(Duration::ZERO)).await);
    is_refused("`get`", queue.get(delivery.id()).await);
    is_refused("`counts`", queue.counts().await);
    is_refused("`cancel`", queue.cancel(delivery.id(), "no").await);
    assert_eq!(new.counts().await?.len(), 0);
    // Dropping the old queue does not remove the files of the new one.
    drop(queue);
    let receipt = new.enqueue(work::new(3)).await?;
    assert!(SqliteQueue::open(&path).await?.get(receipt.id()).await?.is_some());
    Ok(())
}

/// D32: The queue works again after the files are back, and no acknowledged job is lost.
#[tokio::test]
async fn the_queue_works_again_after_the_files_are_back() -> TestResult {
    let (folder, path, queue) = opened().await?;
    let elsewhere = folder.path().join("elsewhere.db");

    move_all(&path, &elsewhere);
    is_refused("a push", queue.enqueue(work::new(2)).await);
    move_all(&elsewhere, &path);

    let receipt = queue.enqueue(work::new(3)).await?;
    assert!(queue.get(receipt.id()).await?.is_some());
    assert!(SqliteQueue::open(&path).await?.get(receipt.id()).await?.is_some());
    Ok(())
}

/// D32: A link to the file, and a link to its renamed folder, lead to the same file.
#[cfg(unix)]
#[tokio::test]
async fn a_file_behind_links_is_the_same_file() -> TestResult {
    let folder = tempfile::tempdir()?;
    let (real, moved) = (folder.path().join("real"), folder.path().join("moved"));
    fs::create_dir(&real)?;
    drop(SqliteQueue::open(real.join("jobs.db")).await?);
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(real.join("jobs.db"), &link)?;
    let queue = SqliteQueue::open(&link).await?;

    fs::rename(&real, &moved)?;
    is_refused("the link leads nowhere", queue.enqueue(work::new(1)).await);
    std::os::unix::fs::symlink(&moved, &real)?;

    queue.enqueue(work::new(2)).await?;
    Ok(())
}
