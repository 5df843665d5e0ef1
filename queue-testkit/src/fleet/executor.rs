//! One thread, many tasks, and a seed that says whose turn it is.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::BoxFuture;
use queue_core::Clock as _;
use queue_core::error::panic_message;

use crate::clock::VirtualClock;

/// How many turns a run may take: one that goes on for ever is broken.
const MAX_POLLS: u64 = 5_000_000;

/// The task that everything is about.
const MAIN: u64 = 0;

/// Runs tasks in an order that a seed gives. When none is ready, the clock jumps to what is due next.
#[derive(Clone)]
pub(super) struct Executor {
    shared: Arc<Mutex<Shared>>,
    clock: VirtualClock,
}

struct Shared {
    random: fastrand::Rng,
    ready: Vec<u64>,
    tasks: BTreeMap<u64, Task>,
    last: u64,
    /// A number that two runs share only if they took the same turns at the same times.
    fingerprint: u64,
}

struct Task {
    owner: usize,
    /// Taken out while it runs.
    future: Option<BoxFuture<'static, ()>>,
}

/// Why a run has no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stuck {
    /// Nobody is ready, and nothing is due.
    NothingToDo,
    /// It goes on and on.
    Endless,
    /// A node panicked.
    Panicked { owner: usize, message: String },
}

impl Executor {
    pub(super) fn new(seed: u64, clock: VirtualClock) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        let shared = Shared { random, ready: Vec::new(), tasks: BTreeMap::new(), last: MAIN, fingerprint: 0 };
        Self { shared: Arc::new(Mutex::new(shared)), clock }
    }

    /// Starts a task of an owner.
    pub(super) fn spawn(&self, owner: usize, future: BoxFuture<'static, ()>) {
        let mut shared = self.lock();
        shared.last += 1;
        let id = shared.last;
        shared.tasks.insert(id, Task { owner, future: Some(future) });
        shared.ready.push(id);
    }

    /// Drops all tasks of an owner.
    pub(super) fn kill(&self, owner: usize) {
        let mut shared = self.lock();
        let ids: Vec<_> =
            shared.tasks.iter().filter(|(_, task)| task.owner == owner).map(|(id, _)| *id).collect();
        let dead: Vec<_> = ids.iter().filter_map(|id| shared.tasks.remove(id)).collect();
        // What they hold may want this lock as it goes.
        drop(shared);
        drop(dead);
    }

    /// A number that two runs share only if they took the same turns at the same times.
    pub(super) fn fingerprint(&self) -> u64 {
        self.lock().fingerprint
    }

    /// Gives a number below a limit.
    pub(super) fn random(&self, limit: u64) -> u64 {
        self.lock().random.u64(0..limit)
    }

    /// Runs everybody until this future ends.
    pub(super) fn run<T>(&self, main: impl Future<Output = T>) -> Result<T, Stuck> {
        let mut main = pin!(main);
        self.lock().ready.push(MAIN);
        for _ in 0..MAX_POLLS {
            let Some(id) = self.next() else {
                let due = self.clock.next_wake().ok_or(Stuck::NothingToDo)?;
                self.clock.advance_to(due);
                continue;
            };
            let waker = Waker::from(Arc::new(TaskWaker { id, shared: self.shared.clone() }));
            let mut context = Context::from_waker(&waker);
            if id != MAIN {
                self.poll_task(id, &mut context)?;
            } else if let Poll::Ready(end) = main.as_mut().poll(&mut context) {
                return Ok(end);
            }
        }
        Err(Stuck::Endless)
    }

    fn next(&self) -> Option<u64> {
        let now = self.clock.now().as_micros().unsigned_abs();
        let mut shared = self.lock();
        if shared.ready.is_empty() {
            return None;
        }
        let count = shared.ready.len();
        let index = shared.random.usize(0..count);
        let id = shared.ready.swap_remove(index);
        shared.fingerprint = (shared.fingerprint ^ now ^ id.rotate_left(32)).wrapping_mul(0x0100_0000_01b3);
        Some(id)
    }

    fn poll_task(&self, id: u64, context: &mut Context<'_>) -> Result<(), Stuck> {
        let taken = self.lock().tasks.get_mut(&id).and_then(|task| Some((task.owner, task.future.take()?)));
        let Some((owner, mut future)) = taken else { return Ok(()) };
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        match polled {
            Ok(Poll::Pending) => {
                // It may have been killed while it ran.
                let mut shared = self.lock();
                if let Some(task) = shared.tasks.get_mut(&id) {
                    task.future = Some(future);
                    return Ok(());
                }
                drop(shared);
                drop(future);
                Ok(())
            }
            Ok(Poll::Ready(())) => {
                let ended = self.lock().tasks.remove(&id);
                drop((future, ended));
                Ok(())
            }
            Err(panic) => Err(Stuck::Panicked { owner, message: panic_message(&*panic) }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

struct TaskWaker {
    id: u64,
    shared: Arc<Mutex<Shared>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut shared = lock(&self.shared);
        if !shared.ready.contains(&self.id) && (self.id == MAIN || shared.tasks.contains_key(&self.id)) {
            shared.ready.push(self.id);
        }
    }
}
