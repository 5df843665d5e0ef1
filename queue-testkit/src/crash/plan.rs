//! The plan of one run: the points that it passes, and the point at which the worker crashes.
//!
//! One attempt runs at a time. Its future is polled on the thread that registers the plan as the explorer, so a step that the job
//! passes calls `dies_at` on that thread, inside of the poll. A crash unwinds with a `Crash` payload out of the job's code. The job
//! may catch that panic, so `is_dead` decides and not the result of the poll: every step of a dead worker crashes again.

use std::collections::HashMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures_util::future::poll_fn;
use queue_core::explore::{self, Crash, Explorer, SourceLocation, Step};
use queue_core::{JobName, NewJob};

use super::point::{CrashPoint, Moment};

/// Records the points that a run passes, and crashes the worker at one of them.
#[derive(Debug)]
pub(crate) struct Plan {
    target: Option<CrashPoint>,
    trace: Mutex<Trace>,
}

#[derive(Debug)]
struct Trace {
    /// The points that the run passed, in order.
    passed: Vec<CrashPoint>,
    counts: HashMap<(JobName, Moment), usize>,
    /// The job whose attempt runs. `waits` are the await points that it is in, the innermost last.
    job: JobName,
    waits: Vec<&'static SourceLocation>,
    /// Whether the worker has crashed, even if the job's code still runs.
    is_dead: bool,
    has_crashed: bool,
}

impl Plan {
    /// Creates a plan that crashes at `target`, or nowhere.
    pub(crate) fn new(target: Option<CrashPoint>) -> Self {
        let trace = Trace {
            passed: Vec::new(),
            counts: HashMap::new(),
            job: NewJob::CLOSURE,
            waits: Vec::new(),
            is_dead: false,
            has_crashed: false,
        };
        Self { target, trace: Mutex::new(trace) }
    }

    /// Returns the points that the run passed.
    pub(crate) fn passed(&self) -> Vec<CrashPoint> {
        self.trace().passed.clone()
    }

    /// Returns whether the target was reached.
    pub(crate) fn has_crashed(&self) -> bool {
        self.trace().has_crashed
    }

    /// Runs an attempt of a job. Returns `None` if the worker crashed in it. While a blocking job's
    /// thread runs, there is no point: the thread would outlive the crash.
    pub(crate) async fn attempt<T>(
        self: Arc<Self>,
        job: JobName,
        attempt: impl Future<Output = T>,
        is_blocking: impl Fn() -> bool,
    ) -> Option<T> {
        {
            let mut trace = self.trace();
            trace.job = job;
            trace.waits.clear();
            trace.is_dead = false;
        }
        // Boxed, so that it is dropped as soon as the worker is dead.
        let mut attempt = Box::pin(attempt);
        let ended = poll_fn(|cx| {
            let poll = || explore::under(self.clone(), || attempt.as_mut().poll(cx));
            match catch_unwind(AssertUnwindSafe(poll)) {
                // A job that catches the panic of a crash does not survive it.
                Ok(_) | Err(_) if self.trace().is_dead => Poll::Ready(None),
                Ok(Poll::Ready(ended)) => Poll::Ready(Some(ended)),
                Ok(Poll::Pending) if !is_blocking() && self.suspends() => Poll::Ready(None),
                Ok(Poll::Pending) => Poll::Pending,
                Err(panic) if panic.is::<Crash>() => Poll::Ready(None),
                Err(panic) => resume_unwind(panic),
            }
        });
        let ended = ended.await?;
        (!self.reaches(Moment::Unsettled)).then_some(ended)
    }

    fn trace(&self) -> MutexGuard<'_, Trace> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn suspends(&self) -> bool {
        let location = self.trace().waits.last().copied();
        self.reaches(Moment::Suspended(location))
    }

    /// Records a moment, and returns whether the worker is dead at it.
    fn reaches(&self, moment: Moment) -> bool {
        let mut trace = self.trace();
        let job = trace.job.clone();
        let count = trace.counts.entry((job.clone(), moment)).or_default();
        *count += 1;
        let point = CrashPoint { job, moment, nth: *count };
        if self.target.as_ref() == Some(&point) {
            trace.is_dead = true;
            trace.has_crashed = true;
        }
        trace.passed.push(point);
        trace.is_dead
    }
}

impl Explorer for Plan {
    fn dies_at(&self, step: Step) -> bool {
        let Some(moment) = Moment::of(step) else { return false };
        {
            let mut trace = self.trace();
            match moment {
                Moment::Before(location) => trace.waits.push(location),
                Moment::After(location) => {
                    if let Some(index) = trace.waits.iter().rposition(|waits| *waits == location) {
                        trace.waits.remove(index);
                    }
                }
                _ => {}
            }
            if trace.is_dead {
                return true;
            }
        }
        self.reaches(moment)
    }
}
