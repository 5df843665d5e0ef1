//! What the clients of a queue did and were told, and whether that may be.
//!
//! A [`History`] is data: clients write their calls down as [`Event`]s, in one process or in many, and [`check`] judges
//! them afterwards, together with how every job stands in the end.
//! All of it can be written with serde, so that each of several processes appends its events to a file of its own.
//!
//! # What a dead process does not know
//!
//! A client that is killed in the middle of a call has no answer.
//! It writes the call down before it makes it, with no end of its [`Span`] and [`KnownOutcome::Unknown`], and replaces that
//! with what it was told. What was never replaced may have taken effect or not, and the rules allow for either.
//!
//! # The rules
//!
//! - No acknowledged job is lost, and every job that is stored ends.
//! - A batch is stored whole or not at all, answered or not; so are the followups of a settlement, along with it.
//! - No job is delivered before its time, after its end, or after its last attempt.
//! - No job has two holders whose leases are live, and a lease that is live is honoured.
//! - Fences grow, each is given once, and one that nobody was given is a claim's that gave its caller nothing.
//! - A job ends as its last holder said, or is discarded when its last attempt's lease was lost.
//! - Jobs are delivered for the first time in the order of their priority, their time and their push, as far as the
//!   clients can know it. A delayed job counts from half a second after it was due: until then another claim may be about
//!   to make it ready.
//!
//! Operators' calls have no facts here: a history in which somebody cancels, retries, pauses or deletes fails.

mod checker;
mod event;
mod outcome;
mod pushed;
mod span;
mod violation;

use queue_core::{Fence, JobId, JobRecord, State};
use serde::{Deserialize, Serialize};

pub use checker::check;
pub use event::{Event, EventKind};
pub use outcome::KnownOutcome;
pub use pushed::Pushed;
pub use span::{LogTime, Span};
pub use violation::Violation;

/// What happened, in any order, and how it stands in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// What every client did.
    pub events: Vec<Event>,
    /// Every job that the queue lists once nothing is under way any more.
    pub last: Vec<FinalState>,
}

/// How a job stands in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalState {
    /// The job.
    pub job: JobId,
    /// Where it is on its way.
    pub state: State,
    /// How often it was claimed.
    pub fence: Fence,
    /// How many of its attempts counted.
    pub attempt: u32,
}

impl From<&JobRecord> for FinalState {
    fn from(record: &JobRecord) -> Self {
        Self { job: record.id, state: record.state, fence: record.fence, attempt: record.attempt }
    }
}
