//! A kind of job: what `#[background_job]` makes of a function.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::attempt::outcome::Outcome;
use crate::attempt::retry::RetryPolicy;
use crate::contract::body::Body;
use crate::contract::job::NewJob;
use crate::contract::name::{JobName, QueueName};
use crate::contract::unique::Unique;
use crate::services::{Dependency, Scope};

/// A kind of job: a payload, how to perform it, and its defaults.
///
/// `#[background_job]` implements it for the payload type that stands beside the function; nobody need write one by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a background job",
    label = "not a background job",
    note = "a job is `function::new(..)`, where the function is annotated with `#[background_job]`; `function(..)` calls it",
    note = "if the function is annotated, bring its name into scope: `use module::function;`"
)]
pub trait Job: Serialize + DeserializeOwned + fmt::Debug + Clone + PartialEq + Send + Sync + 'static {
    /// What this kind of job is called, everywhere and for as long as such jobs are stored.
    const NAME: &'static str;
    /// Names under which such jobs were stored before.
    const ALIASES: &'static [&'static str] = &[];
    /// The payload's fields with their types, shown when a payload can't be decoded.
    const FIELDS: &'static [&'static str];

    /// The defaults of such jobs.
    #[must_use]
    fn options() -> JobOptions {
        JobOptions::new()
    }

    /// The unique key of this job, if such jobs have one.
    fn unique(&self) -> Option<Unique> {
        None
    }

    /// The services that performing such a job takes.
    fn dependencies() -> Vec<Dependency>;

    /// Resolves the dependencies from the scope and runs the function.
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
}

impl JobOptions {
    /// Starts from: queue `default`, 5 attempts, no timeout, backoff from 1 s doubling to 1 h with full jitter, priority 0.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            queue: QueueName::DEFAULT,
            max_attempts: NewJob::MAX_ATTEMPTS,
            timeout: None,
            retry: RetryPolicy::DEFAULT,
            priority: 0,
        }
    }

    /// Sets the queue.
    #[must_use]
    pub fn queue(mut self, queue: &'static str) -> Self {
        self.queue = QueueName::from_static(queue);
        self
    }

    /// Sets how often a job is tried at most. Zero is refused as `Invalid` when the job is pushed.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Bounds each attempt, the making of its services and middleware included.
    ///
    /// With `Duration::ZERO`, only an attempt that never waits succeeds. `Duration::MAX` is no bound.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets how long to wait before each retry.
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
        let unique = job.unique();
        let mut new = Self::new(JobName::from_static(J::NAME), Body::typed(job));
        new.queue = options.queue;
        new.priority = options.priority;
        new.max_attempts = options.max_attempts;
        new.unique = unique.map(Box::new);
        new
    }
}
