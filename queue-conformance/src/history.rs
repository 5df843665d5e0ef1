//! Histories: the calls that clients made on a queue and their answers, and the check of whether the contract allows them.
//!
//! A [`History`] is data. Clients record their calls as [`Event`]s, in one process or in many, and [`check`] judges the
//! events afterwards, together with the final state of every job.
//! A history implements serde's traits, so that each of several processes can append its events to its own file.
//!
//! # Clients that were killed
//!
//! A client that is killed during a call does not learn the answer.
//! So a client records each call before it makes it, with a [`Span`] without an end and with [`KnownOutcome::Unknown`], and
//! replaces that entry once it has the answer. An entry that was never replaced may have taken effect or not; the rules allow
//! both.
//!
//! # The rules
//!
//! - No acknowledged job is lost, and every stored job finishes.
//! - A batch is stored as a whole or not at all, whether it was answered or not. The same holds for a settlement and its
//!   followups.
//! - No job is delivered before its time, after its end, or after its last attempt.
//! - No job has two holders with live leases, and the queue accepts calls under a live lease.
//! - Fences increase, and each is used once. A fence that no client received is allowed only if a claim that returned
//!   nothing could have taken it.
//! - A job ends as its last holder settled it, or is discarded if the lease of its last attempt was lost.
//! - First deliveries are ordered by priority, then time, then push, as far as the clients can know that order. A delayed job
//!   counts from half a second after a claim could first make it ready: until then that claim's transaction may be in flight.
//!
//! [`check_limits`] adds the rules of limits that were in force throughout:
//!
//! - No more leases of a queue or a partition are live at one instant than allowed. A lease counts only while it certainly is
//!   live: from the answer of its claim until the call of its settlement, and only if a later call began before its expiry. So
//!   the clocks of clients need no tolerance; what is not certain is not counted.
//! - No window has more starts than allowed. The instant of a start is that of the backend's clock: the end of the lease as
//!   delivered, minus its length. So the clocks of clients do not matter.
//!
//! There are no events for operators' calls: a history in which an operator cancels, retries, pauses or deletes fails.

mod checker;
mod event;
mod outcome;
mod pushed;
mod span;
mod violation;

use queue_core::{Fence, JobId, JobRecord, State};
use serde::{Deserialize, Serialize};

pub use checker::{check, check_limits};
pub use event::{Event, EventKind};
pub use outcome::KnownOutcome;
pub use pushed::Pushed;
pub use span::{LogTime, Span};
pub use violation::Violation;

/// The calls of all clients, in any order, and the final states of all jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The calls of all clients.
    pub events: Vec<Event>,
    /// The final state of every job that the queue lists when no call is in flight any more.
    pub last: Vec<FinalState>,
}

/// The final state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalState {
    /// The job.
    pub job: JobId,
    /// The job's state.
    pub state: State,
    /// The number of its claims.
    pub fence: Fence,
    /// The number of its attempts.
    pub attempt: u32,
}

impl From<&JobRecord> for FinalState {
    fn from(record: &JobRecord) -> Self {
        Self { job: record.id, state: record.state, fence: record.fence, attempt: record.attempt }
    }
}
