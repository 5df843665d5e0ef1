//! The jobs that a program knows, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use rustc_hash::FxHashMap;

use crate::attempt::outcome::Outcome;
use crate::attempt::retry::RetryPolicy;
use crate::attempt::tick::Tick;
use crate::contract::body::{Body, DecodeError};
use crate::contract::name::{JobName, QueueName};
use crate::runner::job_kind::JobKind;
use crate::runner::kind::{Job, JobOptions};
use crate::runner::recurring::RecurringJob;
use crate::services::{Dependency, Problem, Scope, ServiceKey, Services, nearest};

/// Creates a list of jobs: `jobs![send_welcome, reports::build_report]`.
///
/// Each is a function annotated with `#[background_job]`.
#[macro_export]
macro_rules! jobs {
    ($($job:tt)*) => {
        $crate::private::jobs! { [$crate] $($job)* }
    };
}

/// The jobs that a program knows, by name. [`jobs!`](crate::jobs) creates it.
///
/// ```
/// use queue_core::{background_job, jobs};
///
/// #[background_job]
/// async fn send_welcome(user_id: u64) {}
///
/// #[background_job]
/// async fn build_report(year: u32) {}
///
/// let jobs = jobs![send_welcome, build_report];
///
/// assert_eq!(jobs.names(), ["build_report", "send_welcome"]);
/// ```
#[derive(Clone, Default)]
pub struct Jobs {
    entries: Vec<Arc<Entry>>,
    by_name: FxHashMap<JobName, usize>,
    /// Names that were added twice. The program reports them at its start.
    taken_twice: Vec<(&'static str, &'static str)>,
}

impl Jobs {
    /// Creates an empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a job under its name and its aliases.
    #[must_use]
    pub fn with<J: Job>(mut self) -> Self {
        let index = self.entries.len();
        for name in [J::NAME].into_iter().chain(J::ALIASES.iter().copied()) {
            let taken = self.by_name.insert(JobName::from_static(name), index);
            if let Some(first) = taken.and_then(|first| self.entries.get(first)) {
                self.taken_twice.push((name, first.name));
            } else if taken.is_some() {
                // The job itself lists the same name twice, which is harmless.
            }
        }
        self.entries.push(Arc::new(Entry::of::<J>()));
        self
    }

    /// Adds all jobs of another list.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let base = self.entries.len();
        for (name, index) in other.by_name {
            let first = self.by_name.insert(name, base + index).and_then(|first| self.entries.get(first));
            if let (Some(first), Some(second)) = (first, other.entries.get(index)) {
                self.taken_twice.push((second.name, first.name));
            }
        }
        self.taken_twice.extend(other.taken_twice);
        self.entries.extend(other.entries);
        self
    }

    /// Returns the names and aliases, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.by_name.keys().map(JobName::as_str).collect();
        names.sort_unstable();
        names
    }

    /// Returns a description of each job, sorted by name, for forms and command lines.
    ///
    /// ```
    /// # use queue_core::{background_job, jobs};
    /// #[background_job(queue = "mail")]
    /// async fn send_welcome(user_id: u64) {}
    ///
    /// let kinds = jobs![send_welcome].kinds();
    ///
    /// assert_eq!(kinds[0].name, "send_welcome");
    /// assert_eq!(kinds[0].fields, ["user_id: u64"]);
    /// assert_eq!(kinds[0].queue, "mail");
    /// ```
    #[must_use]
    pub fn kinds(&self) -> Vec<JobKind> {
        let mut kinds: Vec<_> = self.entries.iter().map(|entry| entry.kind()).collect();
        kinds.sort_by(|a, b| a.name.cmp(&b.name));
        kinds
    }

    /// Returns the default queues of these jobs, and `default`, sorted.
    #[must_use]
    pub fn queues(&self) -> Vec<QueueName> {
        let mut queues: Vec<_> = self.entries.iter().map(|entry| entry.options.queue.clone()).collect();
        queues.push(QueueName::DEFAULT);
        queues.sort_unstable();
        queues.dedup();
        queues
    }

    /// Returns the jobs that a schedule enqueues: those with `cron` or `every` in their attribute, in the order of the list.
    #[must_use]
    pub fn recurring(&self) -> Vec<RecurringJob> {
        self.entries.iter().filter_map(|entry| (entry.recurring)()).collect()
    }

    /// Returns a sentence for each job that a schedule is to enqueue, if ticks wait in none of the `served` queues.
    #[must_use]
    pub fn unscheduled(&self, served: &[QueueName]) -> Vec<String> {
        if served.iter().any(Tick::waits_in) {
            return Vec::new();
        }
        let lacks = "has a `cron` or an `every`, and no service of this host performs the ticks of schedules";
        self.recurring().into_iter().map(|job| format!("`{}` {lacks}", job.name)).collect()
    }

    /// Returns a sentence for each default queue of these jobs that is not among the `served` queues.
    #[must_use]
    pub fn unserved(&self, served: &[QueueName]) -> Vec<String> {
        let mut jobs: BTreeMap<&QueueName, Vec<&str>> = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| !served.contains(&entry.options.queue)) {
            jobs.entry(&entry.options.queue).or_default().push(entry.name);
        }
        let sentence = |(queue, jobs): (&QueueName, Vec<&str>)| {
            let near = nearest(queue.as_str(), served.iter().map(QueueName::as_str));
            let near =
                near.map(|near| format!(" (the nearest that is served: `{near}`)")).unwrap_or_default();
            format!(
                "`{}` waits for ever: no service of this host serves its queue `{queue}`{near}",
                jobs.join("`, `")
            )
        };
        jobs.into_iter().map(sentence).collect()
    }

    /// Returns all problems of these jobs with these services.
    #[must_use]
    pub fn check(&self, services: &Services) -> Vec<Problem> {
        let twice = self.taken_twice.iter().map(|(name, first)| {
            Problem::new(format!(
                "the job name `{name}` is taken twice (the first: job `{first}`): give one `name = \"…\"`, or drop the alias"
            ))
        });
        let missing =
            self.entries.iter().flat_map(|entry| services.check(entry.name, &(entry.dependencies)()));
        twice.chain(missing).collect()
    }

    /// Returns each job that takes a unit of work that records the job's completion in its own queue, with that unit of work.
    #[must_use]
    pub fn recorded_by_units(&self, services: &Services) -> Vec<(&'static str, ServiceKey)> {
        let taken = |entry: &Arc<Entry>| (entry.name, (entry.dependencies)());
        let taken = self.entries.iter().map(taken);
        let units = taken.flat_map(|(name, taken)| taken.into_iter().map(move |taken| (name, taken.key)));
        units.filter(|(_, key)| services.records_completion(*key)).collect()
    }

    /// Returns the retry policy of a job, or the default policy if the job is not known.
    #[must_use]
    pub fn retry_policy(&self, name: &JobName) -> RetryPolicy {
        self.find(name).map_or(RetryPolicy::DEFAULT, |entry| entry.options.retry.clone())
    }

    pub(crate) fn find(&self, name: &JobName) -> Option<&Entry> {
        self.by_name.get(name).and_then(|index| self.entries.get(*index)).map(AsRef::as_ref)
    }

    /// Returns the name and the aliases of each job.
    pub(crate) fn aliases(&self) -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
        self.entries.iter().map(|entry| (entry.name, entry.aliases))
    }

    /// Describes an unknown name of a job in a queue, with the nearest known names and what to do.
    pub(crate) fn unknown(&self, name: &JobName, queue: &QueueName) -> String {
        let known = self.known_instead(name);
        format!(
            "no job is called `{name}` here; {known}; list it in `jobs![..]` of a service that serves `{queue}`"
        )
    }

    /// Names the known job that is nearest to an unknown one, or all of them.
    pub(crate) fn known_instead(&self, name: &JobName) -> String {
        let names = self.names();
        match nearest(name.as_str(), names.iter().copied()) {
            Some(near) => format!("the nearest known: `{near}`"),
            None if names.is_empty() => "none is known at all".to_owned(),
            None => format!("known are: `{}`", names.join("`, `")),
        }
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Jobs").field(&self.names()).finish()
    }
}

/// A job that a program knows.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    aliases: &'static [&'static str],
    pub(crate) options: JobOptions,
    dependencies: fn() -> Vec<Dependency>,
    recurring: fn() -> Option<RecurringJob>,
    handler: Box<dyn Handler>,
}

impl Entry {
    fn of<J: Job>() -> Self {
        Self {
            name: J::NAME,
            aliases: J::ALIASES,
            options: J::options(),
            dependencies: J::dependencies,
            recurring: RecurringJob::of::<J>,
            handler: Box::new(TypedHandler(PhantomData::<fn() -> J>)),
        }
    }

    /// Decodes the payload as [`perform`](Self::perform) does, and drops it.
    pub(crate) fn check(&self, body: &Body) -> Result<(), DecodeError> {
        self.handler.check(body)
    }

    fn kind(&self) -> JobKind {
        JobKind {
            name: JobName::from_static(self.name),
            fields: self.handler.fields(),
            queue: self.options.queue.clone(),
            priority: self.options.priority,
            max_attempts: self.options.max_attempts,
        }
    }

    /// Decodes the payload and performs the job.
    pub(crate) fn perform<'a>(
        &'a self,
        body: &'a Body,
        scope: &'a Scope,
    ) -> Result<BoxFuture<'a, Outcome>, String> {
        self.handler.perform(body, scope).map_err(|error| {
            let fields = self.handler.fields().join(", ");
            format!("the payload is not what `{}` takes: {error}; it takes {{ {fields} }}", self.name)
        })
    }
}

trait Handler: Send + Sync {
    fn fields(&self) -> &'static [&'static str];
    fn check(&self, body: &Body) -> Result<(), DecodeError>;
    fn perform<'a>(&'a self, body: &'a Body, scope: &'a Scope)
    -> Result<BoxFuture<'a, Outcome>, DecodeError>;
}

struct TypedHandler<J>(PhantomData<fn() -> J>);

impl<J: Job> Handler for TypedHandler<J> {
    fn fields(&self) -> &'static [&'static str] {
        J::FIELDS
    }

    fn check(&self, body: &Body) -> Result<(), DecodeError> {
        body.decode::<J>().map(drop)
    }

    fn perform<'a>(
        &'a self,
        body: &'a Body,
        scope: &'a Scope,
    ) -> Result<BoxFuture<'a, Outcome>, DecodeError> {
        if let Some(job) = body.downcast_ref::<J>() {
            return Ok(job.perform(scope));
        }
        let job: J = body.decode()?;
        Ok(Box::pin(async move { job.perform(scope).await }))
    }
}
