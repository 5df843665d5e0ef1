//! A thread with a connection of its own, which ends with the way to it, and is waited for then.

use std::thread::{self, JoinHandle};

use queue_core::QueueError;
use tokio::sync::oneshot;

use crate::process::Process;

/// The way to a thread, and the thread.
///
/// Dropping it waits until the thread has done what it was asked for and closed its connection. SQLite removes the files
/// beside a database by their names when the last connection closes; one that did so later could remove those of another
/// database, made meanwhile under the same name.
///
/// **Invariant:** nobody else has a way that keeps the thread alive, except for the thread itself.
#[derive(Debug)]
pub(crate) struct JoinOnDrop<W> {
    // Dropped first, which is what has the thread end.
    handle: W,
    _thread: ThreadGuard,
}

impl<W> JoinOnDrop<W> {
    /// Starts a thread that opens what it works with, and gives the way to it once that is open.
    ///
    /// # Errors
    ///
    /// No thread could be started, or what it wanted to open can't be.
    pub(crate) async fn start<T>(
        name: &str,
        handle: W,
        open: impl FnOnce() -> Result<T, QueueError> + Send + 'static,
        work: impl FnOnce(T) + Send + 'static,
    ) -> Result<Self, QueueError> {
        let (opened, is_open) = oneshot::channel();
        let run = move || match open() {
            Ok(open) => {
                // Whoever wanted it may have gone; then it ends at once.
                drop(opened.send(Ok(())));
                work(open);
            }
            Err(error) => drop(opened.send(Err(error))),
        };
        let thread = thread::Builder::new().name(name.into()).spawn(run);
        let thread = thread
            .map_err(|error| QueueError::unavailable("no thread could be started").with_source(error))?;
        // Whoever gives up doesn't wait: until it's open, the thread is left to end by itself.
        is_open
            .await
            .map_err(|_| QueueError::unavailable("the thread panicked while it opened the file"))??;
        Ok(Self { handle, _thread: ThreadGuard(Some(thread), Process::current()) })
    }

    pub(crate) fn handle(&self) -> &W {
        &self.handle
    }
}

/// A thread that is waited for when this is dropped.
#[derive(Debug)]
struct ThreadGuard(Option<JoinHandle<()>>, Process);

impl Drop for ThreadGuard {
    fn drop(&mut self) {
        // Whatever the thread does for its callers may drop the last of them; it can't wait for itself.
        let others = |thread: &JoinHandle<()>| {
            // Nor can a forked process, which doesn't have the thread.
            thread.thread().id() != thread::current().id() && self.1.check().is_ok()
        };
        let thread = self.0.take();
        if let Some(thread) = thread.filter(others) {
            // One that panicked has closed its connection as well.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_forked_process_waits_for_no_thread() {
        let (end, is_to_end) = channel::<()>();
        let (ended, has_ended) = channel();
        let thread = thread::spawn(move || {
            // It ends as soon as the other end is dropped.
            assert!(is_to_end.recv().is_err());
            ended.send(()).expect("somebody who waits");
        });

        drop(ThreadGuard(Some(thread), Process::other()));

        assert!(has_ended.try_recv().is_err(), "the thread was waited for");
        drop(end);
        has_ended.recv().expect("the thread's end");
    }
}
