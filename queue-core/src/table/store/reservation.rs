//! A place that is reserved for a job.

use super::Slot;
use crate::contract::id::JobId;
use crate::contract::job::{NewJob, Schedule};

/// A place for one job in a table. Until it is [filled](crate::table::JobTable::fill) or [returned](crate::table::JobTable::return_reservations), it uses up
/// capacity.
#[derive(Debug)]
#[must_use = "a reservation uses up capacity until it is filled or returned"]
pub struct Reservation {
    pub(in crate::table) slot: Slot,
    /// The job's number in push order.
    pub(in crate::table) sequence: u64,
    pub(in crate::table) id: JobId,
}

impl Reservation {
    /// Returns whether a job can fill a reservation: it is due at once, and its producer chose neither an identity nor a unique
    /// key.
    #[must_use]
    pub fn suits(job: &NewJob) -> bool {
        job.id.is_none() && job.unique.is_none() && matches!(job.schedule, Schedule::Now)
    }

    /// Returns the identity of the job that fills it.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    pub(super) fn into_slot(self) -> Slot {
        self.slot
    }
}
