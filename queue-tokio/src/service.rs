//! The hosted loop: claims jobs, runs them, renews their leases and settles how they ended.
//!
//! # Lanes
//!
//! A lane is the scheduler of a fixed share of the jobs that run at once. There is one for each thread of the runtime, or fewer if
//! shares would be small. A lane claims for itself, keeps its jobs and their results, and settles them. Lanes share nothing that
//! changes with each job, so that threads do not wait for one another. `lane.rs` has the rules.
//!
//! # Tasks
//!
//! | task | on | what it does |
//! | --- | --- | --- |
//! | workers, some for each lane | the jobs' runtime | take their steps from the lane: run a job, settle results, claim |
//! | resettler | the jobs' runtime | repeats settlements that were not recorded at the first try |
//! | renewer | a thread of its own | renews the leases of all lanes; drops jobs whose grace period is over |
//! | watchdog | the renewer's thread | helps lanes whose workers are held by jobs that block; names those jobs |
//! | announcer | the renewer's thread | announces the service to the queue |
//!
//! A job that has to wait suspends its worker; another worker continues with the lane. So short jobs are run by few workers
//! without a switch of tasks, and long ones by as many as may run at once.
//!
//! # Who wakes whom
//!
//! | waiter | waits for | woken by |
//! | --- | --- | --- |
//! | parked worker (`Lane::unparked`) | a lane without an active worker that has something to do | a worker of the lane that is suspended; the watchdog; a stop |
//! | claiming worker | jobs | the queue |
//! | renewer (`Sleeper`) | the first job in flight | the worker that claimed it |
//! | watchdog (`Sleeper`) | a lane with an active worker | the worker that claimed for it |
//! | resettler (channel) | a settlement that was not recorded | the worker that sent it |
//! | stop (`Shutdown::until`) | the last claims, jobs and settlements | each step of a worker during a stop |
//!
//! # Shutdown
//!
//! `stop.rs` has the steps: no job is claimed or started; unstarted jobs are released; running jobs end by themselves, then by
//! request, then by force; the last settlements are flushed; all tasks end.
//!
//! # Races
//!
//! - A stop comes while a claim is under way: the claim ends by the stop signal, and what it brings is released.
//! - A job ends after it was released by force: its lane drops the result.
//! - A job blocks its thread while its lane has jobs or results: the watchdog starts another worker, and settles the results.
//! - A worker parks while another one brings work: both take the lane's lock, so the worker parks only if there is none.
//! - A job ends while its lease is renewed: the answer finds no job, or one that has ended, and changes nothing.

mod announcer;
mod backoff;
mod blocked_threads;
mod claimer;
mod client;
mod finished;
mod in_flight;
mod job;
mod lane;
mod lifecycle;
mod limits;
mod prefetch;
mod process;
mod renewer;
mod resettler;
mod rotation;
mod settings;
mod settle;
mod shared;
mod shutdown;
mod sleeper;
mod stop;
mod stop_tally;
mod tasks;
mod unsettled;
mod watchdog;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join3;
use queue_core::{
    BoxError, Delivery, Discarded, Job, Jobs, Layer, MakeSpan, Observer, OnDiscard, Problem, Queue,
    QueueLimits, QueueName, Runtime, Services, Worker, WorkerId,
};
use tokio::sync::mpsc;

use crate::hosted::{HostContext, HostedService};
use crate::runtime::TokioRuntime;

use announcer::Announcer;
use renewer::Renewer;
use resettler::Resettler;
use settings::Settings;
use shared::{Parts, Shared};
use watchdog::Watchdog;

/// Runs the jobs of a queue: the counterpart of .NET's `QueuedHostedService`.
///
/// It claims from `default` and from the queues that its jobs name, unless [`queues`](Self::queues) names others.
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
/// A job that panics fails; the service continues.
pub struct QueueService {
    queue: Arc<dyn Queue>,
    jobs: Jobs,
    layers: Vec<Layer>,
    observers: Vec<Arc<dyn Observer>>,
    runtime: Option<Arc<dyn Runtime>>,
    make_span: Option<MakeSpan>,
    settings: Settings,
}

impl QueueService {
    /// Creates a service that runs at most 16 jobs at once, under leases of 30 s.
    pub fn new(queue: impl Queue, jobs: Jobs) -> Self {
        let settings = Settings::new(jobs.queues());
        Self {
            queue: Arc::new(queue),
            jobs,
            layers: Vec::new(),
            observers: Vec::new(),
            runtime: None,
            make_span: None,
            settings,
        }
    }

    /// Sets the name of the service in logs and errors; `queue` by default.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Sets the identity of the service in its claims and announcements; `host/pid/service` by default.
    ///
    /// The identity must differ from those of all other services that use the queue.
    #[must_use]
    pub fn worker(mut self, worker: impl Into<WorkerId>) -> Self {
        self.settings.worker = Some(worker.into());
        self
    }

    /// Sets the name and version of the program, as `Admin::workers` lists them; by default the file name of the program.
    ///
    /// ```
    /// # fn example(service: queue_tokio::QueueService) -> queue_tokio::QueueService {
    /// service.program(concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")))
    /// # }
    /// ```
    #[must_use]
    pub fn program(mut self, name_and_version: impl Into<String>) -> Self {
        self.settings.program = Some(name_and_version.into());
        self
    }

    /// Sets the maximum number of jobs that run at once; zero counts as one.
    ///
    /// The jobs are divided among the runtime's threads, at least 8 for each that takes part.
    #[must_use]
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.settings.concurrency = jobs.max(1);
        self
    }

    /// Sets how many jobs are claimed beyond those that can start at once; zero for none.
    ///
    /// By default the service chooses the number: up to seven times the jobs that run at once while they end sooner than a claim
    /// takes, and none otherwise. It releases prefetched jobs that have waited for 100 ms, so that no job waits behind a long one
    /// while another process is idle. With a number of your own it releases none.
    #[must_use]
    pub fn prefetch(mut self, jobs: usize) -> Self {
        self.settings.prefetch = Some(jobs);
        self
    }

    /// Sets the queues to claim from, each first equally often.
    #[must_use]
    pub fn queues<N: Into<QueueName>>(self, queues: impl IntoIterator<Item = N>) -> Self {
        self.weighted_queues(queues.into_iter().map(|queue| (queue, 1)))
    }

    /// Sets the queues to claim from, each first in proportion to its weight; a weight of zero counts as one.
    ///
    /// No queue starves another: each comes first in some claims.
    #[must_use]
    pub fn weighted_queues<N: Into<QueueName>>(mut self, queues: impl IntoIterator<Item = (N, u32)>) -> Self {
        self.settings.queues =
            queues.into_iter().map(|(queue, weight)| (queue.into(), weight.max(1))).collect();
        self
    }

    /// Sets the limits of a queue that the service serves: how many jobs of the queue and of each of its partitions run at once, and
    /// how many start in a window of time. They bind the workers of all processes.
    ///
    /// The service declares them at its start, before its first claim, instead of those that a program has declared for the queue
    /// before. Limits that an operator has set by [`Admin::set_limit`](queue_core::Admin::set_limit) have precedence. A service
    /// without limits for a queue leaves the limits of the queue as they are; to remove them, declare
    /// [`QueueLimits::none`]. If the queue stores no limits, the service fails at its start.
    ///
    /// ```
    /// # use queue_core::{Limit, QueueLimits, jobs};
    /// # use queue_tokio::{MemoryQueue, QueueService};
    /// # use std::time::Duration;
    /// let second = Duration::from_secs(1);
    /// let service = QueueService::new(MemoryQueue::new(), jobs![])
    ///     .queues(["webhooks"])
    ///     .limit("webhooks", QueueLimits::each(Limit::starts(5, second)).and_total(Limit::running(50)));
    /// ```
    #[must_use]
    pub fn limit(mut self, queue: impl Into<QueueName>, limits: QueueLimits) -> Self {
        let queue = queue.into();
        self.settings.limits.retain(|(other, _)| *other != queue);
        self.settings.limits.push((queue, limits));
        self
    }

    /// Sets the length of leases, which are renewed after a third of it. If it is below 3 ms, `build` reports a problem.
    ///
    /// With `Duration::MAX` leases never expire: a job whose worker dies stays leased until an operator deletes it.
    #[must_use]
    pub fn lease(mut self, length: Duration) -> Self {
        self.settings.lease = length;
        self
    }

    /// Sets the grace period: how long a job may continue after its token has fired, before it is dropped; 5 s by default.
    ///
    /// With `Duration::MAX` a job is never dropped.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Sets the job that is stored when a job of this service is discarded, also by an expired lease, unless that job names one
    /// itself: `on_discard(alert::new)`. See [`OnDiscard`].
    #[must_use]
    pub fn on_discard<J: Job>(mut self, job: fn(Discarded) -> J) -> Self {
        self.settings.on_discard = Some(Arc::new(OnDiscard::of(job)));
        self
    }

    /// Adds middleware; the first one is outermost.
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

    /// Adds an observer, which receives the events of the service and its jobs.
    #[must_use]
    pub fn observe(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Sets the function that creates the span of each attempt, in place of the span `attempt` with the fields `service`, `job.id`,
    /// `job.name`, `job.queue`, `job.attempt` and, for middleware that traces attempts, `trace_id`.
    ///
    /// The job runs within the span, and the line of a failure is logged within it. The function is called when the attempt starts, on
    /// the worker's task, so `Span::current()` is not a span of the producer. If the function panics, the span `attempt` is used.
    ///
    /// ```
    /// # use queue_core::jobs;
    /// # use queue_tokio::{MemoryQueue, QueueService};
    /// let service = QueueService::new(MemoryQueue::new(), jobs![]).make_span(|job| {
    ///     tracing::info_span!("job", name = %job.name, tenant = job.meta.get("tenant"))
    /// });
    /// ```
    #[must_use]
    pub fn make_span(mut self, make: impl Fn(&Delivery) -> tracing::Span + Send + Sync + 'static) -> Self {
        self.make_span = Some(Arc::new(make));
        self
    }

    /// Sets the runtime, as for a simulation; by default it is the current tokio runtime.
    #[must_use]
    pub fn runtime(mut self, runtime: impl Runtime) -> Self {
        self.runtime = Some(Arc::new(runtime));
        self
    }

    /// Starts the tasks of a run.
    fn begin(&self, context: &HostContext) -> Arc<Shared> {
        let parts = Parts {
            queue: self.queue.clone(),
            jobs: self.jobs.clone(),
            layers: self.layers.clone(),
            runtime: self.runtime.clone().unwrap_or_else(|| Arc::new(TokioRuntime::current())),
            make_span: self.make_span.clone(),
            observer: (!self.observers.is_empty()).then(|| Arc::new(self.observers.clone()) as _),
            settings: self.settings.clone(),
        };
        lifecycle::log_start(&self.settings, &*self.queue, &self.jobs);
        let (unsettled, incoming) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(parts, context, unsettled));
        shared.tasks().spawn("resettler", Resettler::new(shared.clone(), incoming).run());
        let apart = join3(
            Renewer::new(shared.clone()).run(),
            Watchdog::new(shared.clone()).run(),
            Announcer::new(shared.clone(), &self.jobs).run(),
        );
        let over = shared.shutdown().over().clone();
        // Within this span, warnings of the runtime have the name of the service too.
        let span = tracing::error_span!("start", service = self.settings.name);
        span.in_scope(|| {
            shared.tasks().spawn_apart("queue-renewal", async move {
                over.run_until_cancelled(apart).await;
            });
        });
        shared
    }

    /// Opens the lanes, which then claim.
    fn open_lanes(shared: &Arc<Shared>) {
        for (number, lane) in shared.lanes().iter().enumerate() {
            lane.open();
            worker::start(shared, number);
        }
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
        problems.extend(limits::problems(&self.settings));
        problems
    }

    fn queues(&self) -> Vec<QueueName> {
        self.settings.queues.iter().map(|(queue, _)| queue.clone()).collect()
    }

    fn unserved(&self, served: &[QueueName]) -> Vec<Problem> {
        let name = &self.settings.name;
        let unserved = self.jobs.unserved(served).into_iter();
        let unserved = unserved.map(|unserved| {
            Problem::new(format!("{unserved}: add the queue to `QueueService::queues` of the service `{name}`, or to another service"))
        });
        let unscheduled = self.jobs.unscheduled(served).into_iter();
        unserved
            .chain(unscheduled.map(|unscheduled| {
                Problem::new(format!(
                    "{unscheduled}: add `Schedules::new(..).jobs(..)` of `queue-schedules` as a service"
                ))
            }))
            .collect()
    }

    fn clean_up(&self) -> Duration {
        self.settings.grace.saturating_add(stop::CLEAN_UP)
    }

    async fn run(&mut self, context: &HostContext) -> Result<(), BoxError> {
        let shared = self.begin(context);
        let _guard = stop::EndOnDrop::new(shared.clone());
        tokio::select! {
            biased;
            () = context.ending() => {}
            declared = limits::declare(&shared) => declared?,
        }
        Self::open_lanes(&shared);
        tokio::select! {
            biased;
            () = context.ending() => {}
            panicked = shared.tasks().panicked() => return Err(panicked.into()),
        }
        for job in stop::stop(&shared, context.shutdown_timeout()).await {
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
