//! A job to be stored.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use crate::contract::body::Body;
use crate::contract::clock::Timestamp;
use crate::contract::id::JobId;
use crate::contract::name::{JobName, QueueName};
use crate::contract::on_discard::OnDiscard;
use crate::contract::partition::Partition;
use crate::contract::unique::{OnConflict, Unique};

/// When a job becomes ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Schedule {
    /// As soon as it is stored.
    #[default]
    Now,
    /// This long after it is stored, by the backend's clock.
    After(Duration),
    /// At an instant of the backend's clock. An instant in the past means now.
    At(Timestamp),
}

/// Key-value pairs that travel with a job and are shown to operators, such as a trace context or a tenant.
///
/// Cheap to clone. Keys are sorted. Setting a key again replaces its value.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Meta(Option<Arc<BTreeMap<String, String>>>);

impl Meta {
    /// The default limit on the total size of all keys and values, in bytes: 16 KiB. See [`Limits::meta`](crate::Limits::meta).
    pub const DEFAULT_LIMIT: usize = 16 << 10;

    /// Creates empty meta.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// Returns the value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.as_ref()?.get(key).map(String::as_str)
    }

    /// Sets a key.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let words = self.0.get_or_insert_default();
        Arc::make_mut(words).insert(key.into(), value.into());
    }

    /// Adds the keys of a parent job's meta that are not set here, in order of the keys.
    ///
    /// A key that would make this meta larger than [`DEFAULT_LIMIT`](Self::DEFAULT_LIMIT) is left out, so inheriting makes no
    /// job invalid.
    pub fn inherit(&mut self, parent: &Self) {
        if self.is_empty() {
            self.clone_from(parent);
            return;
        }
        let mut size = self.size();
        for (key, value) in parent.iter() {
            let larger = size + key.len() + value.len();
            if larger <= Self::DEFAULT_LIMIT && self.get(key).is_none() {
                self.insert(key, value);
                size = larger;
            }
        }
    }

    /// Returns an iterator over the keys and values, in order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|words| words.iter()).map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Returns whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the total size of all keys and values in bytes.
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

/// Serializes a map of strings.
impl Serialize for Meta {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// Shows the keys only, since the values may be private.
impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|(key, _)| key)).finish()
    }
}

/// A job to be stored: the argument of [`Queue::push`](crate::Queue::push).
///
/// Any [`Job`](crate::Job) converts to it. It has the same setters as the builder that `enqueue` returns.
///
/// ```
/// use queue_core::{NewJob, background_job};
/// use std::time::Duration;
///
/// #[background_job]
/// async fn send_welcome(user_id: u64) {}
///
/// let job = NewJob::from(send_welcome::new(42)).queue("mail").delay(Duration::from_secs(60)).meta("tenant", "acme");
///
/// assert_eq!(job.queue.as_str(), "mail");
/// assert_eq!(job.max_attempts, NewJob::MAX_ATTEMPTS);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewJob {
    /// The identity; if it is `None`, the queue creates one.
    pub id: Option<JobId>,
    /// The kind of job.
    pub name: JobName,
    /// The queue in which it is stored.
    pub queue: QueueName,
    /// The body.
    pub body: Body,
    /// The priority; lower runs first.
    pub priority: i32,
    /// When it becomes ready.
    pub schedule: Schedule,
    /// The maximum number of attempts; at least 1.
    pub max_attempts: u32,
    /// The unique key. Boxed, since few jobs have one and jobs are moved often.
    pub unique: Option<Box<Unique>>,
    /// The meta.
    pub meta: Meta,
    /// The job to store if this one is discarded. `None` leaves it to the service that runs the job.
    pub on_discard: Option<Arc<OnDiscard>>,
    /// The part of its queue to which it belongs.
    pub partition: Partition,
}

impl NewJob {
    /// The name of every [closure](NewJob::call).
    pub const CLOSURE: JobName = JobName::from_static("closure");

    /// The default maximum number of attempts.
    pub const MAX_ATTEMPTS: u32 = 5;

    /// Creates a job from a name and a body, with the defaults of [`JobOptions::new`](crate::JobOptions::new).
    pub fn new(name: impl Into<JobName>, body: Body) -> Self {
        Self {
            id: None,
            name: name.into(),
            queue: QueueName::DEFAULT,
            body,
            priority: 0,
            schedule: Schedule::Now,
            max_attempts: Self::MAX_ATTEMPTS,
            unique: None,
            meta: Meta::new(),
            on_discard: None,
            partition: Partition::NONE,
        }
    }

    /// Sets the identity, so that repeating a push whose answer was lost stores the job once.
    #[must_use]
    pub fn id(mut self, id: JobId) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets the queue in which the job is stored, instead of its default.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<QueueName>) -> Self {
        self.queue = queue.into();
        self
    }

    /// Sets the delay after which the stored job becomes ready.
    ///
    /// If the delay leads past [`Timestamp::MAX`], as `Duration::MAX` does, the push returns `Invalid`.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.schedule = Schedule::After(delay);
        self
    }

    /// Sets the instant at which the job becomes ready. An instant in the past means now.
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

    /// Sets the maximum number of attempts. If it is zero, the push returns `Invalid`.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets the unique key: at most one unfinished job of this name may hold it.
    #[must_use]
    pub fn unique(mut self, unique: impl Into<Unique>) -> Self {
        self.unique = Some(Box::new(unique.into()));
        self
    }

    /// Sets a meta key, which travels with the job.
    #[must_use]
    pub fn meta(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.meta.insert(key, value);
        self
    }

    /// Sets the part of its queue to which the job belongs, such as a tenant: see [`Partition`]. The empty name means none.
    #[must_use]
    pub fn partition(mut self, partition: impl Into<Partition>) -> Self {
        self.partition = partition.into();
        self
    }

    /// Returns whether a push of this job updates an unfinished job that holds its key.
    pub(crate) fn replaces(&self) -> bool {
        self.unique.as_ref().is_some_and(|unique| unique.on_conflict == OnConflict::Replace)
    }
}

/// A value that `enqueue`, `enqueue_all`, `enqueue_in` and `then` accept: a [`Job`](crate::Job), or a [`NewJob`].
///
/// It is implemented for every type that converts to a [`NewJob`]; there is no need to implement it by hand.
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
