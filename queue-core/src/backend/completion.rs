//! The end of a unit of work whose job has succeeded.

use super::intake::Intake;
use crate::attempt::context::JobContext;
use crate::attempt::handle::Attempt;
use crate::contract::encoded::Encoded;
use crate::contract::error::QueueError;
use crate::contract::settlement::{Settled, Settlement};

/// The completion of a job, as a unit of work records it in one commit with the job's writes.
///
/// The unit of work [prepares](Self::prepare) it, stores the [settlement](Self::settlement) and the followups in its
/// transaction, [checks](Self::check) the result, commits, and [notes the commit](Self::note_committed).
#[derive(Debug)]
pub struct UnitCompletion {
    attempt: Attempt,
    settlement: Settlement,
}

impl UnitCompletion {
    /// Creates the completion of the job of this context. Returns it with the followups of the job.
    ///
    /// # Errors
    ///
    /// The errors of [`Intake::settlements`]. The runner then discards the job, because a retry would be refused too.
    pub fn prepare(context: &JobContext, intake: &Intake) -> Result<(Self, Vec<Encoded>), QueueError> {
        let attempt = Attempt::of(context);
        let mut completion = attempt.completion();
        let followups = intake.followups(&mut completion)?;
        Ok((Self { attempt, settlement: completion }, followups))
    }

    /// Returns the settlement, without its followups.
    #[must_use]
    pub const fn settlement(&self) -> &Settlement {
        &self.settlement
    }

    /// Checks that the settlement was applied.
    ///
    /// # Errors
    ///
    /// `Conflict` if the lease was lost. The unit of work must write nothing then.
    pub fn check(&self, settled: Settled) -> Result<(), QueueError> {
        if settled == Settled::Applied {
            return Ok(());
        }
        Err(QueueError::conflict(
            "the lease was lost before the unit of work could be committed: nothing was written",
        ))
    }

    /// Notes that the transaction was committed. The job then stays completed in any case.
    pub fn note_committed(self) {
        self.attempt.note_completed();
    }
}
