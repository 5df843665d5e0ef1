//! Background jobs: the contracts of queues and workers, jobs and their attempts, and dependency injection.
//!
//! Annotate an async function, and it can be enqueued; the queue decides where jobs are kept, the hosted loop when they
//! run, and this crate what an attempt is. It has no runtime and does no I/O.
//!
//! # Why the contract is shaped as it is
//!
//! A [`Queue`] is four methods over plain data: `push`, `claim`, `renew`, `settle`, in batches, since a trip to a store
//! costs more than what is carried on it. It is object-safe, so `Arc<dyn Queue>` is the only type that a program names.
//! A queue is dumb: it stores, orders, leases, fences and wakes. Whether a failed job is tried again is decided in
//! [`backend::decide`], a pure function, once for all queues. What all of this means, step by step, is
//! [`table::JobTable`]: a queue without I/O, clock or threads, which every other queue is compared with.
//!
//! # Layers
//!
//! | layer | what it has | it uses |
//! | --- | --- | --- |
//! | `contract` | jobs, queues, leases, settlements, the operator's side | nothing |
//! | `table` | [`table::JobTable`], the contract in executable form | `contract` |
//! | `attempt` | contexts, outcomes, retries, middleware, observers | `contract` |
//! | `services` | dependency injection | `attempt` |
//! | `runner` | kinds of job, the list of jobs, [`AttemptRunner`] | `services` |

mod attempt;
mod contract;
#[doc(hidden)]
pub mod private;
mod runner;
pub mod services;
pub mod table;

/// The operator's side of a queue: what [`Admin`] takes and returns.
pub mod admin {
    pub use crate::contract::admin::{
        Cancellation, Cursor, Filter, JobPage, PageRequest, Prune, QueueCounts,
    };
    pub use crate::contract::record::AttemptError;
}

/// What backends, hosted loops and test tools use; programs that only have jobs need none of it.
pub mod backend {
    pub use crate::attempt::decide::decide;
    pub use crate::attempt::retry::{doubled, jittered};
    pub use crate::contract::encoded::{Encoded, encode, encode_followups};
    pub use crate::contract::error::{error_chain, panic_message};
    pub use crate::contract::handover::Handover;
    pub use crate::contract::lease::log_discard;
}

#[cfg(feature = "explore")]
pub use attempt::explore;

pub use attempt::context::{Environment, JobContext};
pub use attempt::interrupt::{Interrupt, InterruptReason};
pub use attempt::observe::{Event, JobFacts, Observer};
pub use attempt::outcome::{Failure, FailureCause, IntoOutcome, JobError, Outcome, OutcomeKind, RetryAdvice};
pub use attempt::retry::{RetryContext, RetryPolicy};
pub use attempt::runtime::{Blocking, Runtime};
pub use attempt::worker::{Layer, Worker};
pub use contract::admin::Admin;
pub use contract::body::{Body, DecodeError};
pub use contract::clock::{Clock, Timestamp};
pub use contract::enqueue::{Enqueue, EnqueueAll, QueueExt};
pub use contract::error::{BoxError, QueueError, QueueErrorKind};
pub use contract::id::JobId;
pub use contract::job::{IntoJob, Meta, NewJob, Schedule};
pub use contract::lease::{Fence, Lease, Renewal};
pub use contract::limits::Limits;
pub use contract::name::{JobName, QueueName};
pub use contract::queue::{Delivery, Demand, Queue, Receipt};
pub use contract::record::{JobRecord, State};
pub use contract::settlement::{Settled, Settlement, Transition};
pub use contract::stop::StopSignal;
pub use contract::unique::{OnConflict, Unique};
pub use futures_util::future::BoxFuture;
pub use queue_macros::background_job;
pub use runner::attempt_runner::{AttemptResult, AttemptRunner};
pub use runner::kind::{Job, JobOptions};
pub use runner::registry::Jobs;
pub use services::{
    BuildError, CallScope, Dependency, Exclusive, FromScope, Key, Keyed, Problem, Scope, ServiceError,
    Services, ServicesBuilder,
};
pub use tokio_util::sync::CancellationToken;
