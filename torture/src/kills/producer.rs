//! A process that pushes jobs.

use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use queue_conformance::history::{EventKind, KnownOutcome, Pushed};
use queue_core::{BoxError, NewJob, QueueError};
use tokio::time::sleep;

use super::load::Load;
use crate::jobs;
use crate::journal;
use crate::settings::Role;

/// The number of unfinished jobs above which producers wait for the workers.
const BACKLOG: u64 = 400;

/// Repeats the unanswered pushes of a killed producer, then pushes batch after batch.
pub(crate) async fn run(role: &Role) -> Result<(), BoxError> {
    let load = Load::open(role).await?;
    let mut random = Rng::with_seed(role.seed);
    if let Some(dead) = &role.repeat_pushes_of {
        for batch in unanswered(dead)? {
            push(&load, batch.iter().map(jobs::make).collect::<Result<_, _>>()?).await?;
        }
    }
    while !load.stop.is_cancelled() {
        push(&load, jobs::batch(&mut random, 20)?).await?;
        sleep(Duration::from_millis(random.u64(0..50))).await;
        while !load.stop.is_cancelled() && unfinished(&load).await? > BACKLOG {
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
