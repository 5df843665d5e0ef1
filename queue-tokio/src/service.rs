//! The hosted loop: claims jobs, runs them, renews their leases and settles how they ended.
//!
//! One task claims, as many jobs as there are free workers, puts them into a buffer and calls workers to it. A worker takes
//! one job after the other for as long as there are any, and leaves the buffer to another as soon as its job has to wait
//! for something; and of those who come, one after the other calls more while jobs are left. So short jobs are run by a
//! few tasks, without one waking another for each, and long ones by as many as may run at once.
//! Results gather while a settlement is on its way and go with the next. Leases are renewed from a thread apart, which
//! jobs that hog the runtime can't hold up.

mod blocked;
mod claim;
mod ended;
mod hand;
mod held;
mod pace;
mod renew;
mod rotation;
mod run;
mod settings;
mod settle;
mod shift;
mod stop;
mod trouble;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use queue_core::{BoxError, Jobs, Layer, Observer, Problem, Queue, QueueName, Runtime, Services, Worker};

use crate::hosted::{HostContext, HostedService};
use crate::runtime::TokioRuntime;

use settings::Settings;
use shift::Shift;

/// The hosted loop over a queue and a list of jobs: the counterpart of .NET's `QueuedHostedService`.
///
/// It takes from the queues that its jobs name and from `default`, unless others are named.
///
/// ```
/// use queue_core::{QueueExt as _, background_job, jobs};
/// use queue_tokio::{MemoryQueue, QueueService};
///
/// #[background_job]
/// async fn greet(name: &str) {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), queue_core::BoxError> {
/// let queue = MemoryQueue::new();
/// queue.enqueue(greet::new("world")).await?;
///
/// let service = QueueService::new(queue.clone(), jobs![greet]).concurrency(4);
/// service.run_until(queue.idle()).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// A job that panics fails; the loop goes on.
pub struct QueueService {
    queue: Arc<dyn Queue>,
    jobs: Jobs,
    layers: Vec<Layer>,
    observers: Vec<Arc<dyn Observer>>,
    runtime: Option<Arc<dyn Runtime>>,
    settings: Settings,
}

impl QueueService {
    /// Serves a queue: 16 jobs at once, leases of 30 s.
    pub fn new(queue: impl Queue, jobs: Jobs) -> Self {
        let settings = Settings::new(jobs.queues());
        Self {
            queue: Arc::new(queue),
            jobs,
            layers: Vec::new(),
            observers: Vec::new(),
            runtime: None,
            settings,
        }
    }

    /// Names the service in logs, for programs with several.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Runs so many jobs at once at most; zero is taken as one. There is no upper limit, but one claim asks for at most 10,000
    /// jobs.
    #[must_use]
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.settings.concurrency = jobs.max(1);
        self
    }

    /// Claims so many jobs beyond those that can start at once, each time; zero for none at all.
    ///
    /// By default it goes by the pace of the workers: where they are done with a batch sooner than a claim takes, it's up
    /// to seven jobs for each of them, and none otherwise. What then waits here for 100 to 200 ms nevertheless is given back,
    /// so that no job waits behind a long one while another process is idle; with a number of your own nothing is.
    /// One claim asks for at most 10,000 jobs in all.
    #[must_use]
    pub fn prefetch(mut self, jobs: usize) -> Self {
        self.settings.prefetch = Some(jobs);
        self
    }

    /// Serves these queues alone, each as often first as the others.
    #[must_use]
    pub fn queues<N: Into<QueueName>>(self, queues: impl IntoIterator<Item = N>) -> Self {
        self.weighted_queues(queues.into_iter().map(|queue| (queue, 1)))
    }

    /// Serves these queues alone, each first in proportion to its weight; a weight of zero is taken as one.
    ///
    /// No queue starves another: each comes first now and then.
    #[must_use]
    pub fn weighted_queues<N: Into<QueueName>>(mut self, queues: impl IntoIterator<Item = (N, u32)>) -> Self {
        self.settings.queues =
            queues.into_iter().map(|(queue, weight)| (queue.into(), weight.max(1))).collect();
        self
    }

    /// Sets how long leases are; they are renewed at a third of that. Less than 3 ms is a problem that `build` reports. With
    /// `Duration::MAX` they never expire, and a job whose worker dies is lost to its queue until an operator deletes it.
    #[must_use]
    pub fn lease(mut self, length: Duration) -> Self {
        self.settings.lease = length;
        self
    }

    /// Sets how long a job may take to stop once its token has fired, before it is dropped: 5 s by default.
    /// `Duration::MAX` means that a job is never dropped.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Adds middleware; what was added first is outermost.
    #[must_use]
    pub fn layer<F, W>(mut self, wrap: F) -> Self
    where
        F: Fn(Arc<dyn Worker>) -> W + Send + Sync + 'static,
        W: Worker,
    {
        self.layers
            .push(Arc::new(move |inner: Arc<dyn Worker>| -> Arc<dyn Worker> { Arc::new(wrap(inner)) }));
        self
    }

    /// Has someone look on.
    #[must_use]
    pub fn observe(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Runs on another runtime than tokio's, as under simulation.
    #[must_use]
    pub fn runtime(mut self, runtime: impl Runtime) -> Self {
        self.runtime = Some(Arc::new(runtime));
        self
    }

    fn shift(&self, context: &HostContext) -> Arc<Shift> {
        let runtime = self.runtime.clone().unwrap_or_else(|| Arc::new(TokioRuntime::current()));
        let observer: Option<Arc<dyn Observer>> =
            if self.observers.is_empty() { None } else { Some(Arc::new(self.observers.clone())) };
        Arc::new(Shift::new(
            self.queue.clone(),
            self.jobs.clone(),
            context,
            &self.layers,
            runtime,
            observer,
            self.settings.clone(),
        ))
    }
}

#[async_trait]
impl HostedService for QueueService {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn check(&self, services: &Services) -> Vec<Problem> {
        let mut problems = self.jobs.check(services);
        if self.settings.lease < Duration::from_millis(3) {
            let lease = self.settings.lease;
            problems.push(Problem::new(format!(
                "the service `{}` has leases of {lease:?}: 3 ms is the least",
                self.settings.name
            )));
        }
        if self.settings.queues.is_empty() {
            problems
                .push(Problem::new(format!("the service `{}` names no queue to serve", self.settings.name)));
        }
        problems
    }

    fn queues(&self) -> Vec<QueueName> {
        self.settings.queues.iter().map(|(queue, _)| queue.clone()).collect()
    }

    fn unserved(&self, served: &[QueueName]) -> Vec<Problem> {
        let unserved = self.jobs.unserved(served).into_iter();
        unserved
            .map(|unserved| {
                Problem::new(format!("{unserved}: add the queue to `QueueService::queues` of the service `{}`, or to another service", self.settings.name))
            })
            .collect()
    }

    fn clean_up(&self) -> Duration {
        self.settings.grace.saturating_add(stop::CLEAN_UP)
    }

    async fn run(&mut self, context: &HostContext) -> Result<(), BoxError> {
        let shift = self.shift(context);
        let _guard = stop::EndOnDrop::new(shift.clone());
        shift.begin();
        tokio::select! {
            biased;
            () = context.ending() => {}
            broken = shift.broken() => return Err(broken.into()),
        }
        for job in shift.stop(context.shutdown_timeout()).await {
            context.note_cut_short(job);
        }
        Ok(())
    }
}

impl fmt::Debug for QueueService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueService")
            .field("jobs", &self.jobs)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
