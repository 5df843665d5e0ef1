//! Bugs with values at the edges of their ranges.

use std::time::Duration;

use async_trait::async_trait;
use queue_core::{
    Body, Delivery, Demand, Limits, NewJob, Queue as _, QueueError, Receipt, Settled, Settlement, Transition,
};
use queue_testkit::ModelQueue;

use super::broken::Bug;

type Ended = Result<Vec<Settled>, QueueError>;

fn text(transition: &mut Transition) -> Option<&mut String> {
    match transition {
        Transition::Retry { error, .. } | Transition::Discard { error } => Some(error),
        Transition::Snooze { error, .. } => error.as_mut(),
        Transition::Cancel { reason } => Some(reason),
        _ => None,
    }
}

/// Stores NaN as `serde_json` writes it.
#[derive(Default)]
pub(super) struct NotFiniteAsNull;

#[async_trait]
impl Bug for NotFiniteAsNull {
    async fn push(&self, queue: &ModelQueue, mut jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        for job in &mut jobs {
            job.body = Body::stored(job.body.encode().unwrap_or("null".into()));
        }
        queue.push(jobs).await
    }
}

/// Counts the microseconds of a lease in 64 bits, and treats an overflow as no lease.
#[derive(Default)]
pub(super) struct LeaseOverflows;

#[async_trait]
impl Bug for LeaseOverflows {
    async fn claim(&self, queue: &ModelQueue, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let micros = u64::try_from(demand.lease.as_micros()).unwrap_or(0);
        queue.claim(&demand.clone().lease(Duration::from_micros(micros))).await
    }
}

#[derive(Default)]
pub(super) struct CutWithoutNote;

#[async_trait]
impl Bug for CutWithoutNote {
    async fn settle(&self, queue: &ModelQueue, mut batch: Vec<Settlement>) -> Ended {
        for text in batch.iter_mut().filter_map(|settlement| text(&mut settlement.transition)) {
            text.truncate(text.floor_char_boundary(Limits::TEXT));
        }
        queue.settle(batch).await
    }
}

#[derive(Default)]
pub(super) struct LongTextsRefused;

#[async_trait]
impl Bug for LongTextsRefused {
    async fn settle(&self, queue: &ModelQueue, mut batch: Vec<Settlement>) -> Ended {
        let mut texts = batch.iter_mut().filter_map(|settlement| text(&mut settlement.transition));
        if texts.any(|text| text.len() > Limits::TEXT) {
            return Err(QueueError::invalid("the error is too long"));
        }
        drop(texts);
        queue.settle(batch).await
    }
}
