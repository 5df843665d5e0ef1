//! A single-threaded executor whose schedule is drawn from a seed.
//!
//! The tasks are the scenario (`MAIN`), the tasks of every node, and the tasks that crash nodes. Each task has an owner, and
//! `kill` drops all tasks of one owner. `Shared` is behind one mutex because wakers must be `Send`; there is one thread.
//!
//! Two orders matter:
//!
//! - A task's future is taken out of the table while it is polled, and a poll may kill its own owner. So `poll_task` puts the
//!   future back only if the task is still in the table.
//! - Dropping a future may call the executor again (a waker, another `kill`). So futures are dropped after the lock is released.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::BoxFuture;
use queue_core::Clock as _;
use queue_core::backend::panic_message;

use crate::clock::VirtualClock;

/// The maximum number of polls of one run. A run that takes more never ends.
const MAX_POLLS: u64 = 5_000_000;

/// The id of the scenario's task. The run ends when it ends.
const MAIN: u64 = 0;

/// Polls ready tasks in an order drawn from a seed. When no task is ready, the clock jumps to the next wake-up.
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
    /// A hash of the schedule: two runs with the same value polled the same tasks at the same times.
    fingerprint: u64,
}

struct Task {
    owner: usize,
    /// `None` while the task is polled.
    future: Option<BoxFuture<'static, ()>>,
}

/// Why a run did not end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stuck {
    /// No task is ready, and no timer is set.
    NothingToDo,
    /// The run took more than [`MAX_POLLS`] polls.
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

    /// Starts a task for an owner.
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
        // A destructor may need this lock.
        drop(shared);
        drop(dead);
    }

    /// Returns the hash of the schedule: two runs with the same value polled the same tasks at the same times.
    pub(super) fn fingerprint(&self) -> u64 {
        self.lock().fingerprint
    }

    /// Returns a random number below `limit`.
    pub(super) fn random(&self, limit: u64) -> u64 {
        self.lock().random.u64(0..limit)
    }

    /// Runs all tasks until `main` ends.
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
                // The task may have been killed while it was polled.
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
