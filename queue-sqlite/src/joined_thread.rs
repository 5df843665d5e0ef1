//! A thread that owns a connection. Dropping its handle stops and joins the thread.

use std::thread::{self, JoinHandle};

use queue_core::QueueError;
use tokio::sync::oneshot;

use crate::process::Process;

/// A thread, with the handle `H` by which callers send requests to it.
///
/// The thread ends when the last copy of the handle is dropped. So dropping this value waits until the thread has
/// finished all requests and closed its connection. SQLite removes the files beside a database, by their names, when the
/// last connection closes. If that happened later, it could remove the files of a new database with the same name.
///
/// **Invariant:** only the thread itself has other copies of the handle that keep it alive.
#[derive(Debug)]
pub(crate) struct JoinOnDrop<H> {
    // Declared before the thread, so that it is dropped first: that makes the thread end.
    handle: H,
    _thread: ThreadGuard,
}

impl<H> JoinOnDrop<H> {
    /// Starts a thread that calls `open`, and then `work` with the result. Returns once `open` has.
    ///
    /// # Errors
    ///
    /// `Unavailable` if no thread could be started; otherwise the error of `open`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the thread ends by itself once `open` has returned, and is not joined.
    pub(crate) async fn start<T>(
        name: &str,
        handle: H,
        open: impl FnOnce() -> Result<T, QueueError> + Send + 'static,
        work: impl FnOnce(T) + Send + 'static,
    ) -> Result<Self, QueueError> {
        let (opened, is_open) = oneshot::channel();
        let run = move || match open() {
            Ok(open) => {
                // The caller may have dropped the future, and the handle with it. Then `work` returns at once.
                drop(opened.send(Ok(())));
                work(open);
            }
            Err(error) => drop(opened.send(Err(error))),
        };
        let thread = thread::Builder::new().name(name.into()).spawn(run);
        let thread = thread
            .map_err(|error| QueueError::unavailable("no thread could be started").with_source(error))?;
        is_open
            .await
            .map_err(|_| QueueError::unavailable("the thread panicked while it opened the file"))??;
        Ok(Self { handle, _thread: ThreadGuard(Some(thread), Process::current()) })
    }

    /// Returns the handle.
    pub(crate) fn handle(&self) -> &H {
        &self.handle
    }
}

/// Joins a thread when it is dropped.
#[derive(Debug)]
struct ThreadGuard(Option<JoinHandle<()>>, Process);

impl Drop for ThreadGuard {
    fn drop(&mut self) {
        let may_join = |thread: &JoinHandle<()>| {
            // A request may hold the last handle, so this may run on the thread itself, which can't join itself.
            // A forked process does not have the thread.
            thread.thread().id() != thread::current().id() && self.1.check().is_ok()
        };
        let thread = self.0.take();
        if let Some(thread) = thread.filter(may_join) {
            // A thread that panicked has closed its connection too, so its result does not matter.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_forked_process_does_not_join_the_thread() {
        let (stop, stopped) = channel::<()>();
        let (ended, has_ended) = channel();
        let thread = thread::spawn(move || {
            // The thread runs until the test drops `stop`.
            assert!(stopped.recv().is_err());
            ended.send(()).expect("the test still receives");
        });

        drop(ThreadGuard(Some(thread), Process::other()));

        assert!(has_ended.try_recv().is_err(), "the thread was joined");
        drop(stop);
        has_ended.recv().expect("the end of the thread");
    }
}
