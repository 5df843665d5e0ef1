//! A kind of job, which `#[background_job]` creates from a function.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::attempt::into_outcome::JobOutput;
use crate::attempt::outcome::Outcome;
use crate::attempt::retry::RetryPolicy;
use crate::contract::body::Body;
use crate::contract::job::NewJob;
use crate::contract::name::{JobName, QueueName};
use crate::contract::partition::Partition;
use crate::contract::recurrence::Recurrence;
use crate::contract::unique::Unique;
use crate::runner::lazy_on_discard::LazyOnDiscard;
use crate::services::{Dependency, Scope};

/// A kind of job: a payload type, how it runs, and its defaults.
///
/// `#[background_job]` implements it for the payload type beside the function; there is no need to implement it by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a background job",
    label = "not a background job",
    note = "a job is `function::new(..)`, where the function is annotated with `#[background_job]`; `function(..)` calls it",
    note = "if the function is annotated, bring its name into scope: `use module::function;`"
)]
pub trait Job: Serialize + DeserializeOwned + fmt::Debug + Clone + PartialEq + Send + Sync + 'static {
    /// The name of this kind of job. It must stay the same while such jobs are stored.
    const NAME: &'static str;
    /// Former names, under which such jobs may still be stored.
    const ALIASES: &'static [&'static str] = &[];
    /// The payload's fields with their types. The error of a payload that cannot be decoded shows them.
    const FIELDS: &'static [&'static str];

    /// The value that such a job returns: its result, or `()` if there is none.
    type Output: JobOutput;

    /// Returns the defaults of such jobs.
    #[must_use]
    fn options() -> JobOptions {
        JobOptions::new()
    }

    /// Returns the times at which a program that lists such jobs enqueues one, if it is to do so.
    #[must_use]
    fn recurrence() -> Option<Recurrence> {
        None
    }

    /// Returns the unique key of this job, if such jobs have one.
    fn unique(&self) -> Option<Unique> {
        None
    }

    /// Returns the part of its queue to which this job belongs.
    fn partition(&self) -> Partition {
        Partition::NONE
    }

    /// Returns the services that such a job takes.
    fn dependencies() -> Vec<Dependency>;

    /// Resolves the dependencies from the scope, runs the function, and keeps its result in the attempt.
    fn perform<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Outcome>;
}

/// The defaults of a kind of job.
#[derive(Clone, Debug)]
pub struct JobOptions {
    pub(crate) queue: QueueName,
    pub(crate) max_attempts: u32,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry: RetryPolicy,
    pub(crate) priority: i32,
    pub(crate) on_discard: Option<LazyOnDiscard>,
}

impl JobOptions {
    /// Creates the defaults: queue `default`, 5 attempts, no timeout, a random backoff up to 1 s, doubling to 1 h,
    /// priority 0.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            queue: QueueName::DEFAULT,
            max_attempts: NewJob::MAX_ATTEMPTS,
            timeout: None,
            retry: RetryPolicy::DEFAULT,
            priority: 0,
            on_discard: None,
        }
    }

    /// Sets the queue.
    #[must_use]
    pub fn queue(mut self, queue: &'static str) -> Self {
        self.queue = QueueName::from_static(queue);
        self
    }

    /// Sets the maximum number of attempts. If it is zero, a push of such a job returns `Invalid`.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets the timeout of each attempt, which includes the creation of its services and middleware.
    ///
    /// With `Duration::ZERO`, only an attempt that never waits succeeds. `Duration::MAX` means no timeout.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the policy that computes the wait before each retry.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Sets the priority; lower runs first.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }
}

impl Default for JobOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl<J: Job> From<J> for NewJob {
    fn from(job: J) -> Self {
        let options = J::options();
        let (unique, partition) = (job.unique(), job.partition());
        let mut new = Self::new(JobName::from_static(J::NAME), Body::typed(job));
        new.queue = options.queue;
        new.priority = options.priority;
        new.max_attempts = options.max_attempts;
        new.unique = unique.map(Box::new);
        new.partition = partition;
        new.on_discard = options.on_discard.map(|setting| setting.on_discard());
        new
    }
}
