//! Facts about jobs, told to whoever looks on.

use std::sync::Arc;
use std::time::Duration;

use crate::attempt::outcome::Outcome;
use crate::contract::id::JobId;
use crate::contract::lease::Fence;
use crate::contract::name::{JobName, QueueName};
use crate::contract::queue::Delivery;
use crate::contract::settlement::{Settled, Transition};

/// Is told facts, and changes nothing.
///
/// Metrics, live views and tests that wait for something stand on this; there is no second seam.
pub trait Observer: Send + Sync + 'static {
    /// Takes note of a fact. It is called in the middle of the work, so it should return at once.
    fn observe(&self, event: &Event);
}

/// Every observer of a list is told, in order.
impl Observer for Vec<Arc<dyn Observer>> {
    fn observe(&self, event: &Event) {
        for observer in self {
            observer.observe(event);
        }
    }
}

/// A shared observer is an observer.
impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn observe(&self, event: &Event) {
        (**self).observe(event);
    }
}

/// Nobody looks on.
impl Observer for () {
    fn observe(&self, _: &Event) {}
}

/// Which attempt of which job an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobFacts {
    /// The job.
    pub id: JobId,
    /// Its kind.
    pub name: JobName,
    /// Its queue.
    pub queue: QueueName,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Which claim of the job it is.
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

/// A fact.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A worker holds the job.
    Claimed(JobFacts),
    /// The attempt begins.
    Started(JobFacts),
    /// The job says how far it is.
    Progressed {
        /// Which job.
        job: JobFacts,
        /// In percent, 0–100.
        percent: u8,
        /// In words.
        note: String,
    },
    /// The attempt is over.
    Ended {
        /// Which job.
        job: JobFacts,
        /// How it ended.
        outcome: Outcome,
        /// How long it took, the making and disposal of its services included.
        took: Duration,
    },
    /// The attempt's end was recorded, or came too late.
    Settled {
        /// Which job.
        job: JobFacts,
        /// Where it went.
        transition: Transition,
        /// Whether that was recorded.
        settled: Settled,
    },
    /// The lease was lost while the attempt ran.
    LeaseLost(JobFacts),
    /// The attempt was told to stop, since somebody cancelled the job.
    CancelRequested {
        /// Which job.
        job: JobFacts,
        /// Why.
        reason: String,
    },
    /// Leases were renewed late, or the runtime didn't answer in time: some job hogs it.
    Hogged {
        /// The kinds of job that were running.
        running: Vec<JobName>,
    },
    /// The queue began to fail at an operation.
    QueueFailed {
        /// What failed.
        operation: &'static str,
        /// What it said, causes included.
        error: String,
    },
    /// The queue works again.
    QueueRecovered {
        /// What had failed.
        operation: &'static str,
    },
    /// A hosted loop claims no more jobs.
    Stopping,
    /// A hosted loop has ended.
    Stopped,
}
