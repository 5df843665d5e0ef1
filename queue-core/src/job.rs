//! A kind of job, and one job to be stored.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::body::Body;
use crate::clock::Timestamp;
use crate::name::{JobName, QueueName};
use crate::outcome::{IntoOutcome, Outcome};
use crate::retry::RetryPolicy;
use crate::services::{CallScope, Dependency, Scope};
use crate::unique::{OnConflict, Unique};

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
    /// How often a job is tried where nothing else is said.
    pub const MAX_ATTEMPTS: u32 = 5;

    /// Starts from: queue `default`, 5 attempts, no timeout, backoff from 1 s doubling to 1 h with full jitter, priority 0.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            queue: QueueName::DEFAULT,
            max_attempts: Self::MAX_ATTEMPTS,
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

/// The identity of a job. Pushing the same one twice stores one job.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Uuid);

impl JobId {
    /// Makes an identity that no other has, sorted by time of making (UUID version 7).
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }

    /// Makes an identity from 128 bits that the caller chose.
    #[must_use]
    pub const fn from_u128(bits: u128) -> Self {
        Self(Uuid::from_u128(bits))
    }

    /// Gives the 128 bits.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0.as_u128()
    }

    /// Gives the UUID.
    #[must_use]
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }

    /// Derives the identity of a parent's nth followup, always the same (UUID version 8).
    pub(crate) fn followup(self, fence: u64, nth: usize) -> Self {
        let salt = mix(fence ^ mix(nth as u64));
        let bits = self.as_u128();
        let high = mix((bits >> 64) as u64 ^ salt);
        let low = mix(bits as u64 ^ high);
        Self(
            uuid::Builder::from_custom_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
                .into_uuid(),
        )
    }

    /// A number to seed randomness with that belongs to this job.
    pub(crate) fn seed(self) -> u64 {
        let bits = self.as_u128();
        mix((bits >> 64) as u64 ^ mix(bits as u64))
    }
}

/// The finalizer of `SplitMix64`: each bit of the input changes half of the output.
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl From<Uuid> for JobId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl std::str::FromStr for JobId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// When a job becomes ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Schedule {
    /// As soon as it is stored.
    #[default]
    Now,
    /// So long after it is stored, by the backend's clock.
    After(Duration),
    /// At an instant of the backend's clock; one that is past means now.
    At(Timestamp),
}

/// Words that travel with a job and are shown to operators: trace context, tenant, who asked for it.
///
/// Cheap to clone. Keys are in order; setting one again replaces its value.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Meta(Option<Arc<BTreeMap<String, String>>>);

impl Meta {
    /// Has no words.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// Looks a key up.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.as_ref()?.get(key).map(String::as_str)
    }

    /// Sets a key.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let words = self.0.get_or_insert_default();
        Arc::make_mut(words).insert(key.into(), value.into());
    }

    /// Goes through keys and values, in order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|words| words.iter()).map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Tells whether there are no words.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Sums up the bytes of all keys and values.
    #[must_use]
    pub fn size(&self) -> usize {
        self.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Meta {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(words: I) -> Self {
        let mut meta = Self::new();
        for (key, value) in words {
            meta.insert(key, value);
        }
        meta
    }
}

/// Shows the keys; the values may be private.
impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|(key, _)| key)).finish()
    }
}

/// A job to be stored: what [`Queue::push`](crate::Queue::push) takes.
///
/// Any [`Job`] converts to it. The setters are those of the builder that `enqueue` returns.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewJob {
    /// The identity; where it is `None`, the queue makes one.
    pub id: Option<JobId>,
    /// The kind of job.
    pub name: JobName,
    /// The queue it goes to.
    pub queue: QueueName,
    /// What it carries.
    pub body: Body,
    /// Lower runs first.
    pub priority: i32,
    /// When it becomes ready.
    pub schedule: Schedule,
    /// How often it is tried at most; at least 1.
    pub max_attempts: u32,
    /// Keeps a second one like it out. Boxed, since few jobs have one and all are moved about.
    pub unique: Option<Box<Unique>>,
    /// Words that travel with it.
    pub meta: Meta,
}

impl NewJob {
    /// The name that every [closure](NewJob::call) goes by.
    pub const CLOSURE: JobName = JobName::from_static("closure");

    /// Makes a job of a name and a body, with the defaults of [`JobOptions::new`].
    pub fn new(name: impl Into<JobName>, body: Body) -> Self {
        Self {
            id: None,
            name: name.into(),
            queue: QueueName::DEFAULT,
            body,
            priority: 0,
            schedule: Schedule::Now,
            max_attempts: JobOptions::MAX_ATTEMPTS,
            unique: None,
            meta: Meta::new(),
        }
    }

    /// Makes a job of a closure, which gets a [`CallScope`] and is run once: one attempt, discarded if it fails.
    ///
    /// Only an in-memory queue takes it; one that stores bytes answers `Unsupported`.
    pub fn call<F, Fut>(call: F) -> Self
    where
        F: FnOnce(CallScope) -> Fut + Send + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoOutcome,
    {
        let call = Box::new(move |scope: CallScope| {
            let call: BoxFuture<'static, Outcome> = Box::pin(async move { call(scope).await.into_outcome() });
            call
        });
        Self { max_attempts: 1, ..Self::new(Self::CLOSURE, Body::call(call)) }
    }

    /// Gives the job an identity of the caller's, so that pushing it again after a lost answer stores it once.
    #[must_use]
    pub fn id(mut self, id: JobId) -> Self {
        self.id = Some(id);
        self
    }

    /// Sends the job to another queue than its default.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<QueueName>) -> Self {
        self.queue = queue.into();
        self
    }

    /// Makes the job ready so long after it is stored.
    ///
    /// A delay that leads past the end of time, such as `Duration::MAX`, is refused as `Invalid` when the job is pushed.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.schedule = Schedule::After(delay);
        self
    }

    /// Makes the job ready at an instant; one that is past means now.
    #[must_use]
    pub fn at(mut self, at: impl Into<Timestamp>) -> Self {
        self.schedule = Schedule::At(at.into());
        self
    }

    /// Sets the priority; lower runs first.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Sets how often the job is tried at most. Zero is refused as `Invalid` when the job is pushed.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Keeps a second unfinished job of this name and key out.
    #[must_use]
    pub fn unique(mut self, unique: impl Into<Unique>) -> Self {
        self.unique = Some(Box::new(unique.into()));
        self
    }

    /// Adds a word that travels with the job.
    #[must_use]
    pub fn meta(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.meta.insert(key, value);
        self
    }

    /// Tells whether an unfinished job under the same key is to be updated.
    pub(crate) fn replaces(&self) -> bool {
        self.unique.as_ref().is_some_and(|unique| unique.on_conflict == OnConflict::Replace)
    }
}

impl<J: Job> From<J> for NewJob {
    fn from(job: J) -> Self {
        let options = J::options();
        let unique = job.unique();
        Self {
            id: None,
            name: JobName::from_static(J::NAME),
            queue: options.queue,
            body: Body::typed(job),
            priority: options.priority,
            schedule: Schedule::Now,
            max_attempts: options.max_attempts,
            unique: unique.map(Box::new),
            meta: Meta::new(),
        }
    }
}

/// A value that `enqueue`, `enqueue_all`, `enqueue_in` and `then` take: a [`Job`], or a [`NewJob`].
///
/// It is implemented for everything that converts to a [`NewJob`]; nobody need implement it by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a job: `function(..)` calls the function, a job is `function::new(..)`",
    label = "not a job: if this calls the function, write `::new` after its name",
    note = "a job is made of a function that is annotated with `#[background_job]`; a `NewJob` is a job, too"
)]
pub trait IntoJob {
    /// Returns the job to be stored.
    fn into_job(self) -> NewJob;
}

#[diagnostic::do_not_recommend]
impl<J: Into<NewJob>> IntoJob for J {
    fn into_job(self) -> NewJob {
        self.into()
    }
}
