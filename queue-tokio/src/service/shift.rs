//! One run of the hosted loop: what its tasks share.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crossbeam_queue::SegQueue;
use futures_util::FutureExt as _;
use queue_core::error::panic_message;
use queue_core::{Event, Jobs, Layer, Observer, Performer, Queue, Runtime, Services, World};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::ended::{Ended, EndedAttempts};
use super::hand::{Hand, Ticket};
use super::pace::Pace;
use super::rotation::Rotation;
use super::settings::Settings;
use super::trouble::Trouble;

/// What the tasks of a run share.
pub(super) struct Shift {
    pub(super) queue: Arc<dyn Queue>,
    pub(super) performer: Performer,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) world: World,
    pub(super) settings: Settings,
    pub(super) hand: Hand,
    pub(super) ended: EndedAttempts,
    /// Taken by the task that settles.
    unsettled: Mutex<Option<UnboundedReceiver<Ended>>>,
    /// Held by the one worker who claims.
    pub(super) lead: tokio::sync::Mutex<Lead>,
    /// The jobs that wait for a worker.
    pub(super) buffer: SegQueue<Box<Ticket>>,
    /// More were claimed than can start at once.
    pub(super) surplus: Notify,
    pub(super) workers: AtomicUsize,
    /// Workers that lead, or wait to.
    pub(super) idle: AtomicUsize,
    /// No more claims.
    pub(super) stopping: CancellationToken,
    /// Everything is settled, or given up.
    pub(super) over: CancellationToken,
    /// What a task of the loop itself panicked with, and that it did.
    broken: (OnceLock<String>, CancellationToken),
}

/// What only the worker who leads needs.
pub(super) struct Lead {
    pub(super) rotation: Rotation,
    pub(super) trouble: Trouble,
    pub(super) pace: Pace,
}

impl Shift {
    pub(super) fn new(
        queue: Arc<dyn Queue>,
        jobs: Jobs,
        services: Services,
        layers: &[Arc<dyn Layer>],
        runtime: Arc<dyn Runtime>,
        observer: Option<Arc<dyn Observer>>,
        settings: Settings,
    ) -> Self {
        let world = World {
            clock: Arc::new(OnRuntime(runtime.clone())),
            blocking: Arc::new(OnRuntime(runtime.clone())),
            observer,
        };
        let performer = Performer::new(jobs, services, queue.clone(), layers, world.clone());
        let seed = u64::try_from(runtime.now().as_micros()).unwrap_or_default();
        let lead = Lead {
            rotation: Rotation::new(&settings.queues),
            trouble: Trouble::with("claim", seed),
            pace: Pace::default(),
        };
        let (ended, unsettled) = EndedAttempts::new();
        Self {
            queue,
            performer,
            runtime,
            world,
            settings,
            hand: Hand::default(),
            ended,
            unsettled: Mutex::new(Some(unsettled)),
            lead: tokio::sync::Mutex::new(lead),
            buffer: SegQueue::new(),
            surplus: Notify::new(),
            workers: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
            stopping: CancellationToken::new(),
            over: CancellationToken::new(),
            broken: Default::default(),
        }
    }

    /// Starts the tasks: a first worker, which is followed by others as there is work, the settling, the
    /// giving back and the renewal.
    pub(super) fn begin(self: &Arc<Self>) {
        self.hire();
        if let Some(unsettled) = self.unsettled.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let settling = self.clone();
            self.spawn("settling", async move { settling.settle_all(unsettled).await });
        }
        if self.settings.prefetch.is_none() {
            let giving = self.clone();
            self.spawn("giving back", async move { giving.give_back().await });
        }
        let renewal = self.clone();
        let watched = self.clone();
        let task = async move { watched.watch("renewal", renewal.renew_all()).await };
        self.runtime.spawn_apart("queue-renewal", Box::pin(task));
    }

    /// Starts a task of the loop. Jobs don't panic here; a queue, a subscriber or a payload's `Drop` may.
    pub(super) fn spawn(
        self: &Arc<Self>,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let watched = self.clone();
        self.runtime.spawn(Box::pin(async move { watched.watch(name, task).await }));
    }

    async fn watch(&self, name: &str, task: impl Future<Output = ()>) {
        if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
            // The first one is what the loop ends with.
            drop(self.broken.0.set(format!("the {name} {}", panic_message(panic.as_ref()))));
            self.broken.1.cancel();
        }
    }

    /// Waits until a task of the loop itself has panicked, and says how.
    pub(super) async fn broken(&self) -> String {
        self.broken.1.cancelled().await;
        self.broken.0.get().cloned().unwrap_or_default()
    }

    pub(super) fn observe(&self, event: impl FnOnce() -> Event) {
        self.world.observe(event);
    }
}

/// A runtime as the clock and the threads that it has.
struct OnRuntime(Arc<dyn Runtime>);

impl queue_core::Clock for OnRuntime {
    fn now(&self) -> queue_core::Timestamp {
        self.0.now()
    }

    fn sleep(&self, duration: std::time::Duration) -> queue_core::BoxFuture<'static, ()> {
        self.0.sleep(duration)
    }
}

impl queue_core::Blocking for OnRuntime {
    fn run_blocking(&self, call: Box<dyn FnOnce() + Send>) -> queue_core::BoxFuture<'static, ()> {
        self.0.run_blocking(call)
    }
}
