//! The I/O thread: runs the I/O of a queue on a runtime of its own, except direct pushes. So jobs that hog the
//! application's runtime don't delay the renewal of leases, and the queue works from within any runtime.

use std::future::Future;

use queue_core::QueueError;
use queue_core::backend::{Answer, Reply};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

/// A handle of the thread's runtime.
#[derive(Clone, Debug)]
pub(crate) struct RuntimeThread(Handle);

/// The runtime of a thread that has not started.
pub(crate) struct UnstartedThread(Runtime);

impl UnstartedThread {
    /// Creates the runtime. Work that is spawned before the thread starts waits for it.
    pub(crate) fn new() -> Result<Self, QueueError> {
        Builder::new_current_thread().enable_all().build().map(Self).map_err(no_thread)
    }

    pub(crate) fn handle(&self) -> RuntimeThread {
        RuntimeThread(self.0.handle().clone())
    }

    /// Starts the thread. It ends when the main future does, and other tasks on it are then dropped.
    pub(crate) fn start<F: Future<Output = ()>>(
        self,
        main: impl FnOnce() -> F + Send + 'static,
    ) -> Result<(), QueueError> {
        let run = move || self.0.block_on(main());
        std::thread::Builder::new().name("queue-postgres".into()).spawn(run).map(drop).map_err(no_thread)
    }
}

impl RuntimeThread {
    /// Runs `work` on a separate thread, which ends with it.
    pub(crate) async fn run_on_own_thread<T, W>(work: W) -> Result<T, QueueError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, QueueError>> + Send + 'static,
    {
        let (done, is_done) = oneshot::channel::<()>();
        let unstarted = UnstartedThread::new()?;
        let thread = unstarted.handle();
        unstarted.start(|| async move { drop(is_done.await) })?;
        let answer = thread.run(work).await;
        drop(done);
        answer
    }

    /// Runs `work` on the thread to its end, even if the caller is dropped.
    pub(crate) fn run<T, W>(&self, work: W) -> Answer<T>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, QueueError>> + Send + 'static,
    {
        let (reply, answer) = Reply::new(thread_gone);
        self.0.spawn(async move { reply.send(work.await) });
        answer
    }

    /// Runs `work` on the calling thread. Tasks that it spawns run on the I/O thread.
    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let _entered = self.0.enter();
        work()
    }

    /// Spawns `work` on the thread. It is dropped when the thread ends.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(work);
    }
}

fn no_thread(error: std::io::Error) -> QueueError {
    QueueError::unavailable("no thread could be started").with_source(error)
}

/// Returns the error of a call after the thread has ended.
pub(crate) fn thread_gone() -> QueueError {
    QueueError::unavailable("the queue's thread has ended: connect again")
}
