//! One run of the hosted loop: what its tasks share.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, OnceLock};

use crossbeam_queue::SegQueue;
use futures_util::FutureExt as _;
use queue_core::backend::panic_message;
use queue_core::{AttemptRunner, Environment, Event, Jobs, Layer, Observer, Queue, Runtime, StopSignal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::blocked::Blocked;
use super::claim::Claims;
use super::ended::EndedAttempts;
use super::hand::Hand;
use super::held::Held;
use super::rotation::Rotation;
use super::settings::Settings;
use crate::hosted::HostContext;

/// What the tasks of a run share.
pub(super) struct Shift {
    pub(super) queue: Arc<dyn Queue>,
    pub(super) runner: AttemptRunner,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) environment: Environment,
    pub(super) settings: Settings,
    pub(super) hand: Hand,
    pub(super) ended: EndedAttempts,
    pub(super) blocked: Blocked,
    /// Held by the task that claims, for as long as it does.
    pub(super) claims: tokio::sync::Mutex<Claims>,
    /// The jobs that wait for a worker.
    pub(super) buffer: SegQueue<Arc<Held>>,
    /// Calls workers to the buffer.
    pub(super) filled: Notify,
    /// A worker has found the buffer empty.
    pub(super) hungry: Notify,
    /// More were claimed than can start at once.
    pub(super) surplus: Notify,
    pub(super) workers: AtomicUsize,
    /// Workers that wait for a call.
    pub(super) waiting: AtomicUsize,
    /// A worker that was called by another has yet to come.
    pub(super) is_called: AtomicBool,
    /// The stop of the host: from then on nothing begins, even before this loop stops.
    draining: StopSignal,
    /// The stop of this loop, which ends its claims too.
    pub(super) stopping: StopSignal,
    /// Everything is settled, or given up.
    pub(super) over: CancellationToken,
    /// The tasks of the loop. Each keeps the queue open while it lives.
    pub(super) tasks: TaskTracker,
    /// What a task of the loop itself panicked with, and that it did.
    broken: (OnceLock<String>, CancellationToken),
}

impl Shift {
    pub(super) fn new(
        queue: Arc<dyn Queue>,
        jobs: Jobs,
        context: &HostContext,
        layers: &[Layer],
        runtime: Arc<dyn Runtime>,
        observer: Option<Arc<dyn Observer>>,
        settings: Settings,
    ) -> Self {
        let environment = Environment { clock: runtime.clone(), blocking: runtime.clone(), observer };
        let runner =
            AttemptRunner::new(jobs, context.services().clone(), queue.clone(), layers, environment.clone());
        let seed = u64::try_from(runtime.now().as_micros()).unwrap_or_default();
        let claims = Claims::new(&settings, Rotation::new(&settings.queues), seed);
        Self {
            queue,
            runner,
            runtime,
            environment,
            settings,
            hand: Hand::default(),
            ended: EndedAttempts::default(),
            blocked: Blocked::default(),
            claims: tokio::sync::Mutex::new(claims),
            buffer: SegQueue::new(),
            filled: Notify::new(),
            hungry: Notify::new(),
            surplus: Notify::new(),
            workers: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            is_called: AtomicBool::new(false),
            draining: context.draining().clone(),
            stopping: StopSignal::new(),
            over: CancellationToken::new(),
            tasks: TaskTracker::new(),
            broken: Default::default(),
        }
    }

    /// Starts the tasks: the claims, the settling, the giving back and the renewal. Workers come as there is work.
    pub(super) fn begin(self: &Arc<Self>) {
        let claiming = self.clone();
        self.spawn("claiming", async move { claiming.claim_all().await });
        let settling = self.clone();
        self.spawn("settling", async move { settling.settle_all().await });
        let blocked = self.clone();
        self.spawn("settling of what is blocked", blocked.settle_blocked());
        if self.settings.prefetch.is_none() {
            let giving = self.clone();
            self.spawn("giving back", giving.give_back());
        }
        let renewal = self.clone();
        let watched = self.clone();
        let task = async move { watched.watch("renewal", renewal.renew_all()).await };
        self.runtime.spawn_apart("queue-renewal", Box::pin(self.tasks.track_future(task)));
    }

    /// Starts a task of the loop. Jobs don't panic here; a queue, a subscriber or a payload's `Drop` may.
    pub(super) fn spawn(
        self: &Arc<Self>,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let watched = self.clone();
        let task = async move { watched.watch(name, task).await };
        self.runtime.spawn(Box::pin(self.tasks.track_future(task)));
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

    /// Has nothing claimed or begun any more.
    pub(super) fn begin_to_stop(&self) {
        self.stopping.fire();
        self.filled.notify_waiters();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.has_fired() || self.draining.has_fired()
    }

    pub(super) fn observe(&self, event: impl FnOnce() -> Event) {
        self.environment.observe(event);
    }
}
