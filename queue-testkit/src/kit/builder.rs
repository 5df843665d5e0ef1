//! The settings of a kit.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use queue_core::{
    AttemptRunner, Blocking, BuildError, Environment, Jobs, Layer, Observer, Services, ServicesBuilder,
    Worker,
};

use super::ambient_clock;
use super::executor::AttemptLog;
use super::{KitQueue, Progress, TestKit};

/// Settings of a [`TestKit`]. Created by [`TestKit::new`].
#[must_use = "a kit is made by `build`"]
pub struct TestKitBuilder {
    jobs: Jobs,
    services: ServicesBuilder,
    layers: Vec<Layer>,
    observers: Vec<Arc<dyn Observer>>,
    seed: Option<u64>,
    limit: usize,
    horizon: Duration,
}

impl TestKitBuilder {
    pub(super) fn new(jobs: Jobs) -> Self {
        Self {
            jobs,
            services: Services::builder(),
            layers: Vec::new(),
            observers: Vec::new(),
            seed: None,
            limit: 10_000,
            horizon: Duration::from_secs(30 * 24 * 60 * 60),
        }
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

    /// Checks jobs and services, and creates the kit.
    ///
    /// # Errors
    ///
    /// All problems at once, like a host's build.
    pub fn build(self) -> Result<TestKit, BuildError> {
        let services = self.services.build()?;
        BuildError::unless_empty(self.jobs.check(&services))?;
        let clock = ambient_clock::clock();
        let queue = KitQueue::new(&clock, self.seed.unwrap_or_default());
        let log = Arc::new(AttemptLog::default());
        let mut observers = self.observers;
        observers.push(log.clone());
        let environment = Environment {
            clock: Arc::new(clock.clone()),
            blocking: Arc::new(Inline),
            observer: Some(Arc::new(observers)),
        };
        let runner = AttemptRunner::new(
            self.jobs.clone(),
            services,
            Arc::new(queue.clone()),
            &self.layers,
            environment,
        );
        Ok(TestKit {
            queue,
            clock,
            runner,
            jobs: self.jobs,
            limit: self.limit,
            horizon: self.horizon,
            seed: self.seed,
            log,
            state: Mutex::new(Progress::new(self.seed.unwrap_or_default())),
        })
    }
}

/// Runs blocking jobs on the calling thread: a test has one thread.
struct Inline;

impl Blocking for Inline {
    fn run_blocking(&self, call: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        Box::pin(async move { call() })
    }
}

impl fmt::Debug for TestKitBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestKitBuilder")
            .field("jobs", &self.jobs)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
