//! The callers that wait for the end of jobs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use queue_core::backend::has_ended;
use queue_core::table::JobTable;
use queue_core::{JobId, JobRecord};
use tokio::sync::Notify;

use super::{MemoryQueue, Shared};

/// The waiting callers of each job that the table watches.
#[derive(Default)]
pub(super) struct EndWaiters(HashMap<JobId, Vec<Arc<Notify>>>);

impl EndWaiters {
    fn join(&mut self, ids: &[JobId], table: &mut JobTable) -> Arc<Notify> {
        let waiter = Arc::new(Notify::new());
        for id in ids {
            table.watch(*id);
            self.0.entry(*id).or_default().push(waiter.clone());
        }
        waiter
    }

    fn leave(&mut self, ids: &[JobId], waiter: &Arc<Notify>, table: &mut JobTable) {
        for id in ids {
            let Some(waiters) = self.0.get_mut(id) else { continue };
            waiters.retain(|other| !Arc::ptr_eq(other, waiter));
            if waiters.is_empty() {
                self.0.remove(id);
                table.unwatch(*id);
            }
        }
    }

    /// Removes the waiters of these jobs. The caller wakes them after the lock.
    pub(super) fn take(&mut self, ended: &[JobId]) -> Vec<Arc<Notify>> {
        ended.iter().filter_map(|id| self.0.remove(id)).flatten().collect()
    }
}

/// A waiting caller. It leaves the list when this is dropped.
struct WaitingCaller<'a> {
    shared: &'a Shared,
    ids: &'a [JobId],
    waiter: Arc<Notify>,
}

impl Drop for WaitingCaller<'_> {
    fn drop(&mut self) {
        self.shared.locked(|state, _| state.ends.leave(self.ids, &self.waiter, &mut state.table));
    }
}

impl MemoryQueue {
    /// Waits until one of these jobs has ended or is gone, or `wait` is over, and returns the jobs.
    pub(super) async fn wait_for_end(&self, ids: &[JobId], wait: Duration) -> Vec<Option<JobRecord>> {
        let shared = &*self.0;
        if wait.is_zero() {
            return shared.jobs(ids);
        }
        let mut over = shared.clock.sleep(wait);
        loop {
            let waiting = match shared.jobs_or_wait(ids) {
                Ok(jobs) => return jobs,
                Err(waiting) => waiting,
            };
            tokio::select! {
                biased;
                () = waiting.waiter.notified() => {}
                never = shared.drive_timer() => match never {},
                () = &mut over => return shared.jobs(ids),
            }
        }
    }
}

impl Shared {
    fn jobs(&self, ids: &[JobId]) -> Vec<Option<JobRecord>> {
        self.locked(|state, now| ids.iter().map(|id| state.table.get(now, *id)).collect())
    }

    /// Returns the jobs if one of them has ended. Otherwise joins the waiters under the same lock, so that no end is missed.
    fn jobs_or_wait<'a>(&'a self, ids: &'a [JobId]) -> Result<Vec<Option<JobRecord>>, WaitingCaller<'a>> {
        self.locked(|state, now| {
            let jobs: Vec<_> = ids.iter().map(|id| state.table.get(now, *id)).collect();
            if has_ended(&jobs) {
                return Ok(jobs);
            }
            Err(WaitingCaller { shared: self, ids, waiter: state.ends.join(ids, &mut state.table) })
        })
    }
}
