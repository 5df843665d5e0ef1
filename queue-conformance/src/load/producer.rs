//! A client that pushes jobs.

use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use queue_core::{BoxError, NewJob, QueueError};
use tokio::time::sleep;

use super::{Load, jobs, journal};
use crate::history::{EventKind, KnownOutcome, Pushed};

/// The number of unfinished jobs above which producers wait for the workers.
const BACKLOG: u64 = 400;

/// Pushes batch after batch until the client is stopped. First repeats the unanswered pushes of `dead`, the journal of a producer
/// that was killed.
///
/// # Errors
///
/// If a call fails for another reason than `Unavailable`, or the journal cannot be written.
pub async fn produce(load: &Load, seed: u64, dead: Option<&Path>) -> Result<(), BoxError> {
    let mut random = Rng::with_seed(seed);
    if let Some(dead) = dead {
        for batch in unanswered(dead)? {
            push(load, batch.iter().map(jobs::make).collect::<Result<_, _>>()?).await?;
        }
    }
    while !load.stop.is_cancelled() {
        push(load, load.batch(&mut random, 20)?).await?;
        sleep(Duration::from_millis(random.u64(0..50))).await;
        while !load.stop.is_cancelled() && unfinished(load).await? > BACKLOG {
            sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

async fn push(load: &Load, jobs: Vec<NewJob>) -> Result<(), BoxError> {
    let pushed = Pushed::batch(&jobs);
    let intended: Vec<_> = pushed.iter().cloned().map(EventKind::Pushed).collect();
    let call = load.call(
        &intended,
        || load.queue.push(jobs.clone()),
        |receipts| {
            let received = pushed.iter().cloned().zip(receipts);
            received.map(|(pushed, receipt)| EventKind::Pushed(pushed.received(*receipt))).collect()
        },
    );
    call.await.map(drop)
}

/// Returns the number of unfinished jobs; `u64::MAX` while the queue is unavailable.
async fn unfinished(load: &Load) -> Result<u64, QueueError> {
    match load.queue.counts().await {
        Ok(counts) => Ok(counts.iter().map(|counts| counts.unfinished()).sum()),
        Err(error) if error.is_transient() => Ok(u64::MAX),
        Err(error) => Err(error),
    }
}

/// Returns the batches without an answer in a journal.
fn unanswered(dead: &Path) -> Result<Vec<Vec<Pushed>>, BoxError> {
    let batches = journal::read(dead)?.into_iter().map(|line| {
        let pushed = line.events.into_iter().filter_map(|event| match event.kind {
            EventKind::Pushed(pushed) if pushed.outcome == KnownOutcome::Unknown => Some(pushed),
            _ => None,
        });
        pushed.collect::<Vec<_>>()
    });
    Ok(batches.filter(|batch| !batch.is_empty()).collect())
}
