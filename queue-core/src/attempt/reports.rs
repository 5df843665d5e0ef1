//! The reports of a job in its attempt: followups, its result, and its progress.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::contract::job::{Meta, NewJob};
use crate::contract::progress::JobProgress;
use crate::contract::result::StoredResult;

/// The reports of one attempt. Followups and the result are stored together with the job's completion, and the progress is sent
/// with the next renewal of its lease.
///
/// Most jobs report nothing, so the reports are allocated with the first one.
#[derive(Default)]
pub(super) struct JobReports(Mutex<Option<Box<Unstored>>>);

#[derive(Default)]
struct Unstored {
    followups: Vec<NewJob>,
    /// The meta that all followups have unless they set it themselves.
    followup_meta: Meta,
    result: Option<StoredResult>,
    progress: Option<JobProgress>,
}

impl JobReports {
    pub(super) fn add_followup(&self, job: NewJob) {
        self.lock().get_or_insert_default().followups.push(job);
    }

    pub(super) fn set_followup_meta(&self, key: String, value: String) {
        self.lock().get_or_insert_default().followup_meta.insert(key, value);
    }

    pub(super) fn set_result(&self, result: StoredResult) {
        self.lock().get_or_insert_default().result = Some(result);
    }

    /// Returns the result, the followups, and the meta that was set for all of them.
    pub(super) fn completion(&self) -> (Option<StoredResult>, Vec<NewJob>, Meta) {
        let reports = self.lock();
        reports.as_deref().map_or_else(Default::default, |reports| {
            (reports.result.clone(), reports.followups.clone(), reports.followup_meta.clone())
        })
    }

    pub(super) fn set_progress(&self, progress: JobProgress) {
        self.lock().get_or_insert_default().progress = Some(progress);
    }

    /// Removes and returns the latest progress that was not sent yet.
    pub(super) fn take_progress(&self) -> Option<JobProgress> {
        self.lock().as_mut()?.progress.take()
    }

    /// Keeps a progress that could not be sent, unless the job has reported a later one.
    pub(super) fn return_progress(&self, progress: JobProgress) {
        self.lock().get_or_insert_default().progress.get_or_insert(progress);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Unstored>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_progress_that_could_not_be_sent_does_not_replace_a_later_one() {
        let reports = JobReports::default();
        let (first, second) = (JobProgress::new(10, "first"), JobProgress::new(20, "second"));
        reports.set_progress(first.clone());
        let unsent = reports.take_progress().expect("the first one");
        assert_eq!((&unsent, reports.take_progress()), (&first, None));

        reports.return_progress(unsent.clone());
        assert_eq!(reports.take_progress(), Some(first), "it is sent again");

        reports.set_progress(second.clone());
        reports.return_progress(unsent);
        assert_eq!(reports.take_progress(), Some(second), "the latest counts");
    }
}
