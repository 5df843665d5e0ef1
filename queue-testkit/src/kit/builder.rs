//! The settings of a kit.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use queue_core::backend::{ExpiredJob, Subscription};
use queue_core::services::{Disposal, Factory, Fallible};
use queue_core::{
    Admin, AttemptRunner, BuildError, Environment, Event, Jobs, Layer, Observer, Queue as _, Services,
    ServicesBuilder, Worker,
};

use super::aside::Aside;
use super::blocking::Threads;
use super::executor::AttemptLog;
use super::source::{Asked, Source};
use super::{KitClock, KitQueue, Progress, TestKit};

/// Settings of a [`TestKit`]. Created by [`TestKit::new`] and [`TestKit::over`].
#[must_use = "a kit is made by `build`"]
pub struct TestKitBuilder {
    source: Source,
    asked: Option<Asked>,
    jobs: Jobs,
    services: ServicesBuilder,
    layers: Vec<Layer>,
    observers: Vec<Arc<dyn Observer>>,
    seed: Option<u64>,
    limit: usize,
    horizon: Duration,
    patience: Duration,
}

impl TestKitBuilder {
    pub(super) fn new(jobs: Jobs) -> Self {
        Self::of(Source::Own, jobs)
    }

    pub(super) fn over(queue: Arc<dyn Admin>) -> Self {
        Self::of(Source::Over(queue), Jobs::new())
    }

    fn of(source: Source, jobs: Jobs) -> Self {
        Self {
            source,
            asked: None,
            jobs,
            services: Services::builder(),
            layers: Vec::new(),
            observers: Vec::new(),
            seed: None,
            limit: 10_000,
            horizon: Duration::from_secs(30 * 24 * 60 * 60),
            patience: Duration::from_secs(60),
        }
    }

    /// Adds jobs that the kit runs.
    pub fn jobs(self, jobs: Jobs) -> Self {
        Self { jobs: self.jobs.and(jobs), ..self }
    }

    /// Sets the application's own registrations. Call [`replace`](Self::replace) afterwards to replace some of them.
    pub fn services(mut self, services: ServicesBuilder) -> Self {
        self.services = services;
        self
    }

    /// Registers services through the full builder.
    pub fn with(mut self, register: impl FnOnce(ServicesBuilder) -> ServicesBuilder) -> Self {
        self.services = register(self.services);
        self
    }

    /// Registers a value.
    #[track_caller]
    pub fn singleton<T: Send + Sync + 'static>(self, value: T) -> Self {
        Self { services: self.services.singleton(value), ..self }
    }

    /// Registers a shared value under another type, usually a trait.
    #[track_caller]
    pub fn singleton_as<T: ?Sized + Send + Sync + 'static>(self, value: Arc<T>) -> Self {
        Self { services: self.services.singleton_as(value), ..self }
    }

    /// Replaces one of the application's registrations by a value: `.replace::<dyn Mailer>(Arc::new(fake))`.
    #[track_caller]
    pub fn replace<T: ?Sized + Send + Sync + 'static>(self, value: Arc<T>) -> Self {
        Self { services: self.services.replace(value), ..self }
    }

    /// Replaces one of the application's units of work with another way to begin and end it, for example with a fake that records
    /// what a job writes.
    #[track_caller]
    pub fn replace_unit_of_work<F, P>(self, begin: F, end: impl Disposal<F::Service>) -> Self
    where
        F: Factory<Fallible<P>>,
    {
        Self { services: self.services.replace_unit_of_work(begin, end), ..self }
    }

    /// Adds middleware. The middleware added first is the outermost.
    pub fn layer<F, W>(mut self, wrap: F) -> Self
    where
        F: Fn(Arc<dyn Worker>) -> W + Send + Sync + 'static,
        W: Worker,
    {
        self.layers
            .push(Arc::new(move |inner: Arc<dyn Worker>| -> Arc<dyn Worker> { Arc::new(wrap(inner)) }));
        self
    }

    /// Adds an observer.
    pub fn observe(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Permutes, by the seed, what a fleet of workers may permute: the order of the queues, the number of jobs held at once, and
    /// which of those runs first. Without a seed, jobs run strictly in order.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets the maximum number of attempts of a run. The default is 10,000.
    pub fn limit(mut self, attempts: usize) -> Self {
        self.limit = attempts;
        self
    }

    /// Sets how far ahead a job may be due for [`run_until_idle`](TestKit::run_until_idle) to wait for it. The default is 30 days.
    pub fn horizon(mut self, horizon: Duration) -> Self {
        self.horizon = horizon;
        self
    }

    /// Sets time within an attempt to be virtual, as in a kit of [`TestKit::new`]: when a job waits, time jumps to the next timer. Use
    /// it for jobs that wait for nothing real, over a queue whose clock the kit can move.
    pub fn virtual_time(mut self) -> Self {
        self.asked = Some(Asked::Virtual);
        self
    }

    /// Sets time within an attempt to be real, as in a kit of [`TestKit::over`], so that a job may wait for a database or a socket. The
    /// kit still moves the time between attempts.
    pub fn real_time(mut self) -> Self {
        self.asked = Some(Asked::Real);
        self
    }

    /// Sets how long, in real time, the kit waits for an attempt to end, for an answer of the queue, and for the next due job of
    /// a queue whose time it can't move. After that time the run fails. The default is a minute.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Checks jobs and services, and creates the kit.
    ///
    /// # Errors
    ///
    /// All problems at once, like a host's build.
    pub fn build(self) -> Result<TestKit, BuildError> {
        let services = self.services.build()?;
        let mut problems = self.jobs.check(&services);
        problems.extend(self.source.foreign_units(&self.jobs, &services));
        BuildError::unless_empty(problems)?;
        let (aside, threads) = (Aside::default(), Threads::default());
        let seed = self.seed.unwrap_or_default();
        let opened = self.source.open(self.asked, seed, self.patience, &aside);
        let (queue, clock) = match opened {
            Ok(opened) => opened,
            Err(problem) => return Err(BuildError::of(problem)),
        };
        let log = Arc::new(AttemptLog::new(clock.clone()));
        let mut observers = self.observers;
        observers.push(log.clone());
        let environment = environment(&clock, &threads, observers);
        let expiries = observe_expiries(&queue, environment.clone());
        let runner = AttemptRunner::new(
            self.jobs.clone(),
            services,
            Arc::new(queue.clone()),
            &self.layers,
            environment,
        );
        Ok(TestKit {
            began: clock.still(),
            queue,
            clock,
            aside,
            threads,
            runner,
            jobs: self.jobs,
            limit: self.limit,
            horizon: self.horizon,
            patience: self.patience,
            seed: self.seed,
            log,
            state: Mutex::new(Progress::new(seed)),
            _expiries: expiries,
        })
    }
}

fn environment(clock: &KitClock, threads: &Threads, observers: Vec<Arc<dyn Observer>>) -> Environment {
    Environment {
        clock: Arc::new(clock.clone()),
        blocking: Arc::new(threads.clone()),
        observer: Some(Arc::new(observers)),
        service: None,
    }
}

/// Reports the jobs that the queue discards because their leases have expired, for as long as the result lives.
fn observe_expiries(queue: &KitQueue, environment: Environment) -> Option<Subscription> {
    let observe = move |job: &ExpiredJob| environment.observe(|| Event::DiscardedByExpiry(job.into()));
    queue.expiry_feed().map(|feed| feed.subscribe([], observe))
}

impl fmt::Debug for TestKitBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestKitBuilder")
            .field("jobs", &self.jobs)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
