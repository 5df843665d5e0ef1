//! Events about jobs, and the observers that receive them.

use std::sync::Arc;
use std::time::Duration;

use crate::attempt::operator_action::OperatorAction;
use crate::attempt::outcome::Outcome;
use crate::attempt::queue_call::QueueCall;
use crate::contract::clock::Timestamp;
use crate::contract::expiry_feed::ExpiredJob;
use crate::contract::id::JobId;
use crate::contract::lease::Fence;
use crate::contract::name::{JobName, QueueName};
use crate::contract::queue::Delivery;
use crate::contract::settlement::{Settled, Transition};

/// Receives events. It cannot influence the attempts that they are about.
///
/// Metrics, live views and tests that wait for an event all use this; there is no second interface for events.
///
/// ```
/// use queue_core::{Event, Observer, Outcome};
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// /// Counts failed attempts.
/// struct Failures(AtomicU64);
///
/// impl Observer for Failures {
///     fn observe(&self, event: &Event) {
///         if let Event::Ended { outcome: Outcome::Failure(_), .. } = event {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
/// ```
pub trait Observer: Send + Sync + 'static {
    /// Receives an event. The caller is in the middle of its work, so this should return immediately.
    fn observe(&self, event: &Event);
}

/// Passes each event to every observer of the list, in order.
impl Observer for Vec<Arc<dyn Observer>> {
    fn observe(&self, event: &Event) {
        for observer in self {
            observer.observe(event);
        }
    }
}

/// Forwards each event to the observer that the `Arc` points to.
impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn observe(&self, event: &Event) {
        (**self).observe(event);
    }
}

/// Ignores every event.
impl Observer for () {
    fn observe(&self, _: &Event) {}
}

/// The attempt and the job that an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobFacts {
    /// The job.
    pub id: JobId,
    /// The kind of job.
    pub name: JobName,
    /// The queue of the job.
    pub queue: QueueName,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The number of the claim.
    pub fence: Fence,
}

impl From<&Delivery> for JobFacts {
    fn from(delivery: &Delivery) -> Self {
        Self {
            id: delivery.id(),
            name: delivery.name.clone(),
            queue: delivery.queue.clone(),
            attempt: delivery.attempt,
            fence: delivery.lease.fence,
        }
    }
}

impl From<&ExpiredJob> for JobFacts {
    fn from(job: &ExpiredJob) -> Self {
        let ExpiredJob { id, name, queue, attempt, fence } = job.clone();
        Self { id, name, queue, attempt, fence }
    }
}

/// An event in the life of a job, a queue or a service.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A worker holds the job.
    Claimed(JobFacts),
    /// The attempt begins.
    Started(JobFacts),
    /// The first attempt begins, this long after the job became ready. Follows [`Started`](Self::Started).
    Waited {
        /// The job.
        job: JobFacts,
        /// The time since the job's `run_at`, by the backend's clock.
        waited: Duration,
    },
    /// The job reports its progress.
    Progressed {
        /// The job.
        job: JobFacts,
        /// In percent, 0–100.
        percent: u8,
        /// The job's own description.
        note: String,
    },
    /// The attempt has ended.
    Ended {
        /// The job.
        job: JobFacts,
        /// The outcome.
        outcome: Outcome,
        /// How long the attempt took, including the creation and disposal of its services.
        took: Duration,
    },
    /// The transition that follows the attempt was decided, and will be settled next. Follows [`Ended`](Self::Ended).
    Decided {
        /// The job.
        job: JobFacts,
        /// The transition.
        transition: Transition,
        /// How long the attempt took, as in `Ended`.
        took: Duration,
    },
    /// The settlement was recorded, or came too late.
    Settled {
        /// The job.
        job: JobFacts,
        /// The transition.
        transition: Transition,
        /// Whether the transition was recorded.
        settled: Settled,
        /// Whether the attempt had begun. Otherwise the job was released or cancelled before a worker started it.
        has_begun: bool,
    },
    /// A followup was stored with the settlement of a job, unless another unfinished job holds its unique key.
    FollowedUp {
        /// The settled job.
        job: JobFacts,
        /// The kind of the followup.
        name: JobName,
        /// The queue of the followup.
        queue: QueueName,
    },
    /// Ticks of a schedule enqueue nothing, because they are later than their schedule allows.
    TicksSkipped {
        /// The job of the tick that was performed.
        job: JobFacts,
        /// The schedule, as `group/name`.
        schedule: String,
        /// The number of ticks. Above 1,000, it is less than the true number.
        count: u64,
        /// The instant of the first one.
        first: Timestamp,
        /// The instant of the last one.
        last: Timestamp,
    },
    /// The lease was lost while the attempt ran.
    LeaseLost(JobFacts),
    /// A job was discarded because its last lease expired: its worker died, or could not renew it. The process whose call noticed
    /// the expiry reports it.
    DiscardedByExpiry(JobFacts),
    /// The attempt must stop, since its job was cancelled.
    CancelRequested {
        /// The job.
        job: JobFacts,
        /// The reason.
        reason: String,
    },
    /// A job blocks its thread: it has not returned to its runtime for a second or longer. Reported once.
    ThreadBlocked {
        /// The job.
        job: JobFacts,
        /// For how long at least.
        blocked_for: Duration,
    },
    /// A hosted loop has called the queue, which has answered or failed.
    Called(QueueCall),
    /// Leases were renewed late: when more than two thirds of their length had passed since the last renewal.
    RenewedLate {
        /// The time since the last renewal.
        after: Duration,
    },
    /// An operation of the queue has started to fail.
    QueueFailed {
        /// The operation.
        operation: &'static str,
        /// The error, including its causes.
        error: String,
    },
    /// The operation succeeds again.
    QueueRecovered {
        /// The operation that failed before.
        operation: &'static str,
    },
    /// An operator has changed jobs or queues, for example on the board.
    Operated(OperatorAction),
    /// A hosted loop has stopped claiming jobs.
    Stopping,
    /// A hosted loop has ended.
    Stopped,
}
