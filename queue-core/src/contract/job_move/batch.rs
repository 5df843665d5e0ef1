//! The move of one batch.

use super::{JobMove, LeftReason, MoveError, Moved};
use crate::contract::admin::Admin;
use crate::contract::change::Change;
use crate::contract::id::JobId;
use crate::contract::import::Imported;
use crate::contract::record::{JobRecord, State};

/// The bytes of payloads in one import, unless a single job has more.
const MAX_BYTES: usize = 8 << 20;

/// Splits a page into parts that are small enough for one import.
pub(super) fn parts(jobs: Vec<JobRecord>) -> Vec<Vec<JobRecord>> {
    let (mut parts, mut bytes) = (Vec::<Vec<JobRecord>>::new(), 0);
    for job in jobs {
        let size = job.body.encoded_len().unwrap_or_default();
        match parts.last_mut() {
            Some(part) if bytes + size <= MAX_BYTES => {
                part.push(job);
                bytes += size;
            }
            _ => {
                parts.push(vec![job]);
                bytes = size;
            }
        }
    }
    parts
}

impl JobMove {
    /// Imports a batch into one store, then deletes it from the other.
    pub(super) async fn move_batch(
        &self,
        from: &dyn Admin,
        to: &dyn Admin,
        jobs: Vec<JobRecord>,
        moved: &mut Moved,
    ) -> Result<(), MoveError> {
        let imported = to.import(jobs.clone()).await.map_err(MoveError::Target)?;
        let (mut copied, mut present) = (Vec::with_capacity(jobs.len()), 0);
        for (job, imported) in jobs.iter().zip(imported) {
            match imported {
                Imported::Stored => copied.push(job.id),
                Imported::KeyHeld(holder) => moved.left.push((job.id, LeftReason::KeyHeld(holder))),
                Imported::Present if is_copy(to, job).await? => {
                    present += 1;
                    copied.push(job.id);
                }
                Imported::Present => moved.left.push((job.id, LeftReason::Differs)),
            }
        }
        let deleted = from.change(&copied, &self.waiting(), &Change::Delete).await;
        let deleted = deleted.map_err(MoveError::Source)?;
        if deleted < copied.len() as u64 {
            self.take_back(from, to, &copied).await?;
        }
        moved.jobs += deleted;
        moved.present += present;
        Ok(())
    }

    /// Deletes the copies of jobs that are still in the first store: they were no longer waiting at their deletion.
    async fn take_back(&self, from: &dyn Admin, to: &dyn Admin, copied: &[JobId]) -> Result<(), MoveError> {
        let mut kept = Vec::new();
        for id in copied {
            let job = from.get(*id).await.map_err(MoveError::Source)?;
            let is_waiting = |state| matches!(state, State::Scheduled | State::Available | State::Retryable);
            // A job that waits again is moved by the next pass.
            kept.extend(job.filter(|job| !is_waiting(job.state)).map(|job| job.id));
        }
        to.change(&kept, &self.waiting(), &Change::Delete).await.map(drop).map_err(MoveError::Target)
    }
}

/// Returns whether the other store's job of this id is a copy of this job, by its name and payload.
async fn is_copy(to: &dyn Admin, job: &JobRecord) -> Result<bool, MoveError> {
    let copy = to.get(job.id).await.map_err(MoveError::Target)?;
    let payload = |job: &JobRecord| job.body.encode().ok();
    Ok(copy.is_none_or(|copy| copy.name == job.name && payload(&copy) == payload(job)))
}
