//! Changes to all jobs that match a filter.

use queue_core::admin::{Cancellation, Change, Filter};
use queue_core::{JobId, QueueErrorKind};

use super::Table;
use crate::error::OpError;
use crate::list;

impl Table<'_> {
    /// Changes those of these jobs that match and that allow the change. Returns their number.
    pub(crate) fn change(&mut self, ids: &[JobId], filter: &Filter, change: &Change) -> Result<u64, OpError> {
        let mut changed = 0;
        for id in ids {
            let matches = list::matches(self.connection, *id, filter, self.now)?;
            changed += u64::from(matches && self.change_one(*id, change)?);
        }
        Ok(changed)
    }

    /// Changes a job. Returns whether it allowed the change.
    fn change_one(&mut self, id: JobId, change: &Change) -> Result<bool, OpError> {
        let changed = match change {
            Change::Cancel { reason } => {
                self.cancel(id, reason).map(|answer| answer != Cancellation::Finished)
            }
            Change::Retry => self.retry(id).map(|()| true),
            Change::Delete => self.delete(id).map(|()| true),
            _ => Err(change.unsupported().into()),
        };
        match changed {
            Err(OpError::Refused(error)) if error.kind() == QueueErrorKind::Conflict => Ok(false),
            changed => changed,
        }
    }
}
