//! The thread that all I/O is on, with a runtime of its own: jobs that hog the application's runtime don't keep leases from
//! being renewed, and the queue works from within any runtime.

use std::future::Future;

use queue_core::QueueError;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The way to the thread.
#[derive(Clone, Debug)]
pub(crate) struct Io(Handle);

impl Io {
    /// Starts the thread, which ends when the main future does; what else runs on it then is dropped.
    pub(crate) fn start<F: Future<Output = ()>>(
        main: impl FnOnce(&Self) -> F + Send + 'static,
    ) -> Result<Self, QueueError> {
        let no_thread = |error| QueueError::unavailable("no thread could be started").with_source(error);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(no_thread)?;
        let io = Self(runtime.handle().clone());
        let run = {
            let io = io.clone();
            move || runtime.block_on(main(&io))
        };
        std::thread::Builder::new().name("queue-postgres".into()).spawn(run).map_err(no_thread)?;
        Ok(io)
    }

    /// Runs something on a thread of its own, which ends with it.
    pub(crate) async fn run_apart<T, W>(work: W) -> Result<T, QueueError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, QueueError>> + Send + 'static,
    {
        let (done, is_done) = oneshot::channel::<()>();
        let io = Self::start(|_| async move { drop(is_done.await) })?;
        let answer = io.run(work).await;
        drop(done);
        answer
    }

    /// Runs something on the thread, to its end even if nobody waits for it any more.
    pub(crate) fn run<T, W>(&self, work: W) -> impl Future<Output = Result<T, QueueError>> + Send + use<T, W>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, QueueError>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.0.spawn(async move {
            // Whoever asked may have gone.
            drop(reply.send(work.await));
        });
        async move { answer.await.map_err(|_| ended())? }
    }

    /// Does something whose tasks are to be on the thread.
    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        let _within = self.0.enter();
        work()
    }

    /// Runs something on the thread for as long as that runs.
    pub(crate) fn keep_running(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(work);
    }
}

/// What every call answers once the thread is gone.
pub(crate) fn ended() -> QueueError {
    QueueError::unavailable("the queue's thread has ended: connect anew")
}
