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
//! [`settlement::decide`], a pure function, once for all queues. What all of this means, step by step, is
//! [`table::JobTable`]: a queue without I/O, clock or threads, which every other queue is compared with.
//!
//! Modules in reading order: [`job`] and [`body`], [`queue`] and [`lease`], [`attempt`], [`outcome`] and
//! [`settlement`], [`services`], [`admin`], [`table`].

pub mod admin;
pub mod attempt;
pub mod body;
pub mod clock;
pub mod context;
pub mod encoded;
pub mod enqueue;
pub mod error;
#[cfg(feature = "explore")]
pub mod explore;
mod exported;
pub mod handover;
pub mod interrupt;
pub mod job;
pub mod lease;
pub mod limits;
pub mod name;
pub mod observe;
pub mod outcome;
mod panic;
#[doc(hidden)]
pub mod private;
pub mod queue;
pub mod registry;
pub mod retry;
pub mod runtime;
pub mod services;
pub mod settlement;
pub mod stop;
pub mod table;
pub mod unique;
pub mod worker;

pub use admin::{Admin, JobRecord, State};
pub use attempt::{AttemptResult, AttemptRunner};
pub use body::Body;
pub use clock::{Clock, Timestamp};
pub use context::{Environment, JobContext};
pub use error::{BoxError, QueueError, QueueErrorKind};
pub use futures_util::future::BoxFuture;
pub use interrupt::{Interrupt, InterruptReason};
pub use job::{IntoJob, Job, JobId, JobOptions, Meta, NewJob, Schedule};
pub use lease::{Fence, Lease, Renewal};
pub use limits::Limits;
pub use name::{JobName, QueueName};
pub use observe::{Event, JobFacts, Observer};
pub use outcome::{Failure, FailureCause, IntoOutcome, JobError, Outcome, OutcomeKind};
pub use queue::{Delivery, Demand, Queue, QueueExt, Receipt};
pub use queue_macros::background_job;
pub use registry::Jobs;
pub use retry::{RetryContext, RetryPolicy};
pub use runtime::{Blocking, Runtime};
pub use services::{
    BuildError, CallScope, Dependency, Exclusive, FromScope, Key, Keyed, Problem, Scope, ServiceError,
    Services, ServicesBuilder,
};
pub use settlement::{Settled, Settlement, Transition};
pub use stop::StopSignal;
pub use tokio_util::sync::CancellationToken;
pub use unique::{OnConflict, Unique};
pub use worker::{Layer, Worker};
