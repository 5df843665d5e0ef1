//! A job to be stored.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contract::body::Body;
use crate::contract::clock::Timestamp;
use crate::contract::id::JobId;
use crate::contract::name::{JobName, QueueName};
use crate::contract::unique::{OnConflict, Unique};

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
/// Any [`Job`](crate::Job) converts to it. The setters are those of the builder that `enqueue` returns.
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

    /// The number of attempts that a job has by default.
    pub const MAX_ATTEMPTS: u32 = 5;

    /// Makes a job of a name and a body, with the defaults of [`JobOptions::new`](crate::JobOptions::new).
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
        }
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

/// A value that `enqueue`, `enqueue_all`, `enqueue_in` and `then` take: a [`Job`](crate::Job), or a [`NewJob`].
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
