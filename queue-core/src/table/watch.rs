//! The jobs for whose end callers wait.

use rustc_hash::FxHashSet;

use super::JobTable;
use crate::contract::id::JobId;

/// The watched jobs, and those of them that have ended since the last call of [`JobTable::take_ended`].
#[derive(Debug, Default)]
pub(super) struct Watched {
    jobs: FxHashSet<JobId>,
    ended: Vec<JobId>,
}

impl JobTable {
    /// Watches a job: when it ends or is removed, [`take_ended`](Self::take_ended) returns it, once.
    ///
    /// A job that has ended already, or that the table does not know, must not be watched.
    pub fn watch(&mut self, id: JobId) {
        self.watched.jobs.insert(id);
    }

    /// Stops watching a job.
    pub fn unwatch(&mut self, id: JobId) {
        self.watched.jobs.remove(&id);
    }

    /// Removes and returns the watched jobs that have ended or were removed. They are watched no longer.
    pub fn take_ended(&mut self) -> Vec<JobId> {
        std::mem::take(&mut self.watched.ended)
    }

    /// Notes that a job ends or is removed.
    #[inline]
    pub(super) fn note_end(&mut self, id: JobId) {
        if !self.watched.jobs.is_empty() && self.watched.jobs.remove(&id) {
            self.watched.ended.push(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::table::{JobTable, TableConfig};
    use crate::{Body, Demand, NewJob, Settlement, Timestamp, Transition};

    #[test]
    fn a_watched_job_that_ends_is_returned_once() {
        let now = Timestamp::EPOCH;
        let mut table = JobTable::new(TableConfig::default());
        let job = || NewJob::new("job", Body::stored("null"));
        let pushed = table.push(now, vec![job(), job(), job()]).unwrap();
        let [ended, deleted, unwatched] = [0, 1, 2].map(|index: usize| pushed[index].id());
        for id in [ended, deleted, unwatched] {
            table.watch(id);
        }
        table.unwatch(unwatched);

        let jobs = table.claim(now, &Demand::new("default", 1));
        let retry = Transition::Retry { at: now, error: "no".to_owned() };
        table.settle(now, vec![Settlement::new(jobs[0].lease.clone(), retry)]).unwrap();
        assert!(table.take_ended().is_empty(), "a job that runs again has not ended");
        let jobs = table.claim(now, &Demand::new("default", 3));
        let complete = |job: &crate::Delivery| Settlement::new(job.lease.clone(), Transition::complete());
        let end = jobs.iter().filter(|job| job.id() != deleted).map(complete).collect();
        table.settle(now, end).unwrap();
        let release = jobs.iter().find(|job| job.id() == deleted).unwrap();
        table.settle(now, vec![Settlement::new(release.lease.clone(), Transition::Release)]).unwrap();
        table.delete(now, deleted).unwrap();

        assert_eq!(table.take_ended(), [ended, deleted]);
        assert!(table.take_ended().is_empty());
    }
}
