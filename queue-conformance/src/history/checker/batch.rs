//! Batches are stored as a whole or not at all, and followups together with their settlement.

use std::collections::BTreeMap;
use std::fmt;

use queue_core::{Fence, JobId};

use super::job::JobHistory;
use crate::history::outcome::KnownOutcome;
use crate::history::pushed::Pushed;

/// A batch of which one job was stored and another was not.
#[derive(Debug)]
pub(super) struct PartialBatch {
    pub(super) stored: JobId,
    pub(super) missing: JobId,
}

impl fmt::Display for PartialBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "half a batch was stored: job {} is stored, and job {} is not", self.stored, self.missing)
    }
}

/// Checks that each batch is stored as a whole or not at all. Jobs with a unique key are skipped: the key may have been taken.
pub(super) fn check(jobs: &BTreeMap<JobId, JobHistory<'_>>) -> Result<(), PartialBatch> {
    let mut batches: BTreeMap<JobId, (JobId, bool)> = BTreeMap::new();
    for (job, is_stored, pushed) in pushes(jobs) {
        let (first, was_stored) = *batches.entry(pushed.batch).or_insert((job, is_stored));
        match (was_stored, is_stored) {
            (true, false) => return Err(PartialBatch { stored: first, missing: job }),
            (false, true) => return Err(PartialBatch { stored: job, missing: first }),
            (true, true) | (false, false) => {}
        }
    }
    Ok(())
}

/// Decides for each settlement without an answer whether it was applied: it was if one of its followups is stored.
///
/// The other rules then apply to that settlement. So the check finds followups whose settlement had no other effect, and
/// settlements whose followups are missing.
pub(super) fn learn_from_followups(jobs: &mut BTreeMap<JobId, JobHistory<'_>>) {
    let mut learnt: BTreeMap<(JobId, Fence), bool> = BTreeMap::new();
    for (_, is_stored, pushed) in pushes(jobs) {
        if let (Some(lease), KnownOutcome::Unknown) = (pushed.follows, pushed.outcome) {
            *learnt.entry(lease).or_default() |= is_stored;
        }
    }
    for ((parent, fence), was_applied) in learnt {
        if let Some(job) = jobs.get_mut(&parent) {
            job.claim(fence).learn(was_applied);
        }
    }
}

fn pushes<'a>(jobs: &'a BTreeMap<JobId, JobHistory<'_>>) -> impl Iterator<Item = (JobId, bool, &'a Pushed)> {
    let all = jobs.iter().flat_map(|(id, job)| job.pushes.iter().map(move |(_, pushed)| (*id, job, *pushed)));
    all.filter(|(_, _, pushed)| !pushed.is_unique).map(|(id, job, pushed)| (id, job.is_stored(), pushed))
}
