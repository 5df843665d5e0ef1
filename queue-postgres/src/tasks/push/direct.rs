//! The direct connection, over which the caller's own task stores a lone push.
//!
//! # Tasks and shared state
//!
//! The connection's socket and timers belong to the tokio runtime on which it was opened, so only pushes of that runtime use
//! it. A mutex, which is never held across an `await`, guards which runtime that is, and the connection while no push uses
//! it. A push takes the connection out, and returns it at its end. Another runtime's push replaces a connection that was
//! idle for a while, also one whose runtime has ended.
//!
//! The runtime must have several worker threads: it then serves sockets on its own threads, whichever thread polls the
//! push. Behind a pooler, a push is a transaction of several statements, and holds its locks while the runtime stands still
//! between two of them. So there is no direct connection then.
//!
//! No task is woken, except the claim task if a claim waits.
//!
//! # Shutdown
//!
//! The connection is closed with the queue's last handle. A push that is under way then ends first.
//!
//! # Races
//!
//! - The caller may drop the push at any time. The push goes on as a task of the runtime.
//! - The runtime may end during a push, or lack sockets or timers, on which the push panics. The connection is then dropped,
//!   and the push tasks send the push again; ids tell which jobs are already stored.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::runtime::{Handle, Id, RuntimeFlavor};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::connection::PushConnection;
use crate::requests::PushRequest;
use crate::shared::Shared;

/// How long the connection must be idle before a push of another runtime replaces it.
const REPLACE_AFTER: Duration = Duration::from_secs(1);

/// A connection of one of the application's runtimes.
pub(super) struct DirectConnection {
    shared: Arc<Shared>,
    /// Stores the pushes that the connection can't.
    tasks: UnboundedSender<PushRequest>,
    slot: Mutex<ConnectionSlot>,
}

#[derive(Default)]
struct ConnectionSlot {
    /// The runtime of the connection, and when a push last took or returned the connection.
    owner: Option<(Id, Instant)>,
    /// The connection, while no push uses it.
    idle: Option<PushConnection>,
    /// The last runtime on which a push panicked: it lacks sockets or timers.
    unfit: Option<Id>,
}

/// A push by the caller's own task. If it is dropped before its end, it goes on as a task of its own.
#[must_use = "a future does nothing until it is awaited"]
pub(super) struct DirectPush {
    push: Option<BoxFuture<'static, ()>>,
    runtime: Handle,
}

/// A push that has the connection. If it is dropped before its end, the push tasks store the push.
struct RunningPush {
    direct: Arc<DirectConnection>,
    runtime: Id,
    parts: Option<(PushConnection, PushRequest)>,
}

impl DirectConnection {
    /// Creates the connection, which is opened by the first push.
    pub(super) fn new(shared: Arc<Shared>, tasks: UnboundedSender<PushRequest>) -> Self {
        Self { shared, tasks, slot: Mutex::default() }
    }

    /// Begins a push. Returns the request if the caller's task can't store it.
    pub(super) fn begin(self: &Arc<Self>, request: PushRequest) -> Result<DirectPush, PushRequest> {
        if self.shared.target.behind_pooler || self.shared.locked_keys.contains_any(request.jobs.iter()) {
            return Err(request);
        }
        let Ok(runtime) = Handle::try_current() else { return Err(request) };
        if runtime.runtime_flavor() != RuntimeFlavor::MultiThread {
            return Err(request);
        }
        let id = runtime.id();
        let Some(connection) = self.take(id) else { return Err(request) };
        let push = RunningPush { direct: self.clone(), runtime: id, parts: Some((connection, request)) };
        Ok(DirectPush { push: Some(Box::pin(push.run())), runtime })
    }

    /// Takes the connection for a push of this runtime. Returns `None` if another push uses it, or another runtime has lately
    /// used it.
    fn take(&self, runtime: Id) -> Option<PushConnection> {
        let mut slot = self.lock();
        if slot.unfit == Some(runtime) {
            return None;
        }
        let now = Instant::now();
        let taken = match slot.owner {
            Some((owner, _)) if owner == runtime => Some(slot.idle.take()?),
            Some((_, used)) if slot.idle.is_none() || now - used < REPLACE_AFTER => return None,
            _ => None,
        };
        slot.owner = Some((runtime, now));
        let replaced = slot.idle.take();
        drop(slot);
        drop(replaced);
        Some(taken.unwrap_or_else(|| PushConnection::of_caller(self.shared.clone())))
    }

    fn put_back(&self, connection: PushConnection) {
        let mut slot = self.lock();
        if let Some((_, used)) = &mut slot.owner {
            *used = Instant::now();
        }
        slot.idle = Some(connection);
    }

    /// Forgets a connection that was dropped during a push.
    fn forget(&self, unfit: Option<Id>) {
        let mut slot = self.lock();
        slot.owner = None;
        slot.unfit = unfit.or(slot.unfit);
    }

    fn send_to_tasks(&self, request: PushRequest) {
        // The tasks don't end before this sender is dropped.
        drop(self.tasks.send(request));
    }

    fn lock(&self) -> MutexGuard<'_, ConnectionSlot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for DirectPush {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(push) = &mut self.push else { return Poll::Ready(()) };
        // After a panic, the push tasks have the request.
        if let Ok(Poll::Pending) = catch_unwind(AssertUnwindSafe(|| push.as_mut().poll(cx))) {
            return Poll::Pending;
        }
        self.push = None;
        Poll::Ready(())
    }
}

impl Drop for DirectPush {
    fn drop(&mut self) {
        if let Some(push) = self.push.take() {
            drop(self.runtime.spawn(push));
        }
    }
}

impl RunningPush {
    /// Stores the push and answers it. The push tasks get a push that another transaction blocks.
    async fn run(mut self) {
        let Some((connection, request)) = &mut self.parts else { return };
        let answer = connection.store_one(request).await;
        let Some((connection, request)) = self.parts.take() else { return };
        self.direct.put_back(connection);
        match answer {
            Some(answer) => request.answer(answer),
            None => self.direct.send_to_tasks(request),
        }
    }
}

impl Drop for RunningPush {
    fn drop(&mut self) {
        let Some((connection, request)) = self.parts.take() else { return };
        drop(connection);
        self.direct.forget(std::thread::panicking().then_some(self.runtime));
        self.direct.send_to_tasks(PushRequest { is_resend: true, ..request });
    }
}
