//! Background jobs: the contracts of queues and workers, jobs and their attempts, and dependency injection.
//!
//! A background job is an annotated async function. A program enqueues it, and a worker runs it later, with retries:
//!
//! ```
//! use queue_core::{QueueExt as _, background_job, jobs};
//! use queue_testkit::TestKit;
//!
//! struct Mailer;
//!
//! impl Mailer {
//!     fn send(&self, user_id: u64) -> std::io::Result<()> {
//!         println!("welcome, user {user_id}");
//!         Ok(())
//!     }
//! }
//!
//! #[background_job(max_attempts = 5, timeout = "30s")]
//! async fn send_welcome(#[inject] mailer: &Mailer, user_id: u64) -> std::io::Result<()> {
//!     mailer.send(user_id)
//! }
//!
//! # type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;
//! # fn main() -> TestResult {
//! # queue_testkit::block_on(async {
//! let kit = TestKit::new(jobs![send_welcome]).singleton(Mailer).build()?;
//! kit.queue().enqueue(send_welcome::new(42)).await?;
//!
//! let run = kit.run_until_idle().await?;
//! assert_eq!(run.attempts_of::<send_welcome>(), 1);
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! The queue decides where jobs are stored, the hosted loop decides when they run, and this crate defines what an attempt
//! is. It has no runtime and does no I/O. The example runs its job with the testkit; `queue-tokio` has the in-memory queue
//! and the hosted loop of a real program.
//!
//! # Getting started
//!
//! - [`background_job`] turns a function into a job, and [`jobs!`] lists the jobs of a program.
//! - [`QueueExt`] enqueues jobs, and [`NewJob`] and [`Unique`] set their options.
//! - [`Services`] registers the services that jobs take by `#[inject]`, and [`JobContext`] is the job's own attempt.
//! - [`JobError`] and [`RetryPolicy`] control what follows a failure.
//! - [`Admin`] inspects and controls stored jobs.
//! - [`Queue`] is the trait that a backend implements, and [`backend`] has helpers for it.
//!
//! # Why the contract is shaped as it is
//!
//! A [`Queue`] has four methods over plain data: `push`, `claim`, `renew` and `settle`. They take batches, since a round
//! trip to a store costs more than the data that it carries. The trait is object-safe, so a program needs no type other than
//! `Arc<dyn Queue>`. A queue stores, orders, leases, fences and wakes. It does not decide whether a failed job is retried:
//! the pure function [`backend::decide`] does, once for all queues. [`table::JobTable`] defines the contract step by step: it
//! is a queue without I/O, clock or threads, and every other queue is compared with it.
//!
//! # Layers
//!
//! | layer | content | uses |
//! | --- | --- | --- |
//! | `contract` | jobs, queues, leases, settlements, the operator's interface | nothing |
//! | `table` | [`table::JobTable`], the contract in executable form | `contract` |
//! | `attempt` | contexts, outcomes, retries, middleware, observers | `contract` |
//! | `backend` | [`backend`], what backends share | `contract`, `attempt` |
//! | `services` | dependency injection | `attempt` |
//! | `runner` | kinds of job, the list of jobs, [`AttemptRunner`] | `services` |

mod attempt;
pub mod backend;
mod contract;
#[doc(hidden)]
pub mod private;
mod runner;
pub mod services;
pub mod table;

/// The types that [`Admin`] takes and returns.
pub mod admin {
    pub use crate::contract::admin::{Cancellation, Prune, QueueCounts};
    pub use crate::contract::announcement::WorkerRecord;
    pub use crate::contract::change::Change;
    pub use crate::contract::cursor::Cursor;
    pub use crate::contract::filter::Filter;
    pub use crate::contract::finding::{Check, Finding, Severity};
    pub use crate::contract::history::{HistoryRequest, HistoryRow};
    pub use crate::contract::id_prefix::IdPrefix;
    pub use crate::contract::import::Imported;
    pub use crate::contract::job_move::{JobMove, LeftReason, MoveError, Moved};
    pub use crate::contract::page::{JobPage, PageRequest};
    pub use crate::contract::queue_limits::LimitRecord;
    pub use crate::contract::reason::Reason;
    pub use crate::contract::record::AttemptError;
    pub use crate::contract::sort::{Order, Sort};
    pub use crate::contract::summary::{Count, QueueSummary};
    pub use crate::contract::usage::{PartitionUsage, QueueUsage, Usage, UsageRequest};
}

/// The check of stored jobs before a deployment: the lines between a program and a checker, and the report.
pub mod check {
    pub use crate::runner::check::{
        CHECK_ARGUMENT, CheckAnswer, CheckFooter, CheckHeader, CheckLine, CheckProblem, CheckReport,
        CheckRequest, CheckedName, KnownJob,
    };
}

#[cfg(feature = "explore")]
pub use attempt::explore;

pub use attempt::context::JobContext;
pub use attempt::environment::Environment;
pub use attempt::interrupt::{Interrupt, InterruptReason};
pub use attempt::into_outcome::{IntoOutcome, JobFailure, JobOutput};
pub use attempt::observe::{Event, JobFacts, Observer};
pub use attempt::operator_action::OperatorAction;
pub use attempt::outcome::{Failure, FailureCause, JobError, Outcome, OutcomeKind, RetryAdvice};
pub use attempt::queue_call::QueueCall;
pub use attempt::retry::{RetryContext, RetryPolicy};
pub use attempt::runtime::{Blocking, Runtime};
pub use attempt::tick::Tick;
pub use attempt::worker::{Layer, Worker};
pub use contract::admin::Admin;
pub use contract::announcement::Announcement;
pub use contract::body::{Body, DecodeError};
pub use contract::bulk::AdminExt;
pub use contract::clock::{Clock, TestClock, Timestamp};
pub use contract::discarded::Discarded;
pub use contract::enqueue::{Enqueue, EnqueueAll, QueueExt};
pub use contract::enqueued::EnqueuedJob;
pub use contract::error::{BoxError, QueueError, QueueErrorKind};
pub use contract::id::JobId;
pub use contract::job::{IntoJob, Meta, NewJob, Schedule};
pub use contract::lease::{Fence, Heartbeat, Lease, Renewal};
pub use contract::limit::{Limit, LimitScope};
pub use contract::limits::Limits;
pub use contract::name::{JobName, QueueName};
pub use contract::on_discard::OnDiscard;
pub use contract::partition::Partition;
pub use contract::progress::JobProgress;
pub use contract::queue::{Delivery, Demand, Queue, Receipt};
pub use contract::queue_limits::QueueLimits;
pub use contract::rate::Rate;
pub use contract::record::{JobRecord, State};
pub use contract::recurrence::{CatchUp, Overlap, Recurrence, Timing};
pub use contract::result::StoredResult;
pub use contract::settlement::{Settled, Settlement, Transition};
pub use contract::status::JobStatus;
pub use contract::stop::StopSignal;
pub use contract::unique::{OnConflict, Unique};
pub use contract::worker_id::WorkerId;
pub use futures_util::future::BoxFuture;
pub use queue_macros::background_job;
pub use runner::attempt_runner::{AttemptResult, AttemptRunner, MakeSpan};
pub use runner::handle::{Ended, JobHandle};
pub use runner::job_kind::JobKind;
pub use runner::kind::{Job, JobOptions};
pub use runner::recurring::RecurringJob;
pub use runner::registry::Jobs;
pub use services::{
    BuildError, CallScope, Dependency, Exclusive, FromScope, Key, Keyed, Problem, Scope, ServiceError,
    Services, ServicesBuilder,
};
pub use tokio_util::sync::CancellationToken;
