//! The meta of the job whose unit of work is being written. The jobs that its writes enqueue inherit this meta.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use queue_core::{Meta, NewJob};

/// The meta of the job whose unit of work is being written, and the thread that writes it.
#[derive(Default)]
pub(crate) struct UnitMeta(Mutex<Option<(ThreadId, Meta)>>);

impl UnitMeta {
    /// Runs the writes of the unit of work of a job with this meta, on this thread.
    pub(crate) fn write<T>(&self, meta: Meta, writes: impl FnOnce() -> T) -> T {
        *self.lock() = Some((thread::current().id(), meta));
        let _end = End(self);
        writes()
    }

    /// Adds the inherited meta to jobs, if this thread writes a unit of work.
    pub(crate) fn pass_on(&self, jobs: &mut [NewJob]) {
        if let Some((thread, meta)) = &*self.lock()
            && *thread == thread::current().id()
        {
            jobs.iter_mut().for_each(|job| job.meta.inherit(meta));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<(ThreadId, Meta)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the writes, also by a panic.
struct End<'a>(&'a UnitMeta);

impl Drop for End<'_> {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}
