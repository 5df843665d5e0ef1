//! One run: what it passes, and where it is to crash.

use std::collections::HashMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures_util::future::poll_fn;
use queue_core::explore::{self, Crash, Explorer, Place, Step};
use queue_core::{JobName, NewJob};

use super::point::{CrashPoint, Moment};

/// What a run passes, and where the worker is to die in it.
#[derive(Debug)]
pub(crate) struct Plan {
    target: Option<CrashPoint>,
    trace: Mutex<Trace>,
}

#[derive(Debug)]
struct Trace {
    /// Every point, in the order in which they came.
    passed: Vec<CrashPoint>,
    counts: HashMap<(JobName, Moment), usize>,
    /// The job whose attempt runs, and the points that it waits at, the innermost last.
    job: JobName,
    waits: Vec<&'static Place>,
    /// The worker is dead, whatever its code still does.
    is_dead: bool,
    has_crashed: bool,
}

impl Plan {
    /// Makes a plan to crash at a point, or nowhere.
    pub(super) fn new(target: Option<CrashPoint>) -> Self {
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

    /// Gives what was passed.
    pub(super) fn passed(&self) -> Vec<CrashPoint> {
        self.trace().passed.clone()
    }

    /// Tells whether the point to crash at was reached.
    pub(super) fn has_crashed(&self) -> bool {
        self.trace().has_crashed
    }

    /// Runs an attempt of a job; `None` if the worker died in it.
    pub(crate) async fn attempt<T>(
        self: Arc<Self>,
        job: JobName,
        attempt: impl Future<Output = T>,
    ) -> Option<T> {
        {
            let mut trace = self.trace();
            trace.job = job;
            trace.waits.clear();
            trace.is_dead = false;
        }
        // Dropped as soon as the worker is dead.
        let mut attempt = Box::pin(attempt);
        let ended = poll_fn(|cx| {
            let poll = || explore::under(self.clone(), || attempt.as_mut().poll(cx));
            match catch_unwind(AssertUnwindSafe(poll)) {
                // What a job catches of a crash doesn't make its worker live.
                Ok(_) | Err(_) if self.trace().is_dead => Poll::Ready(None),
                Ok(Poll::Ready(ended)) => Poll::Ready(Some(ended)),
                Ok(Poll::Pending) if self.suspends() => Poll::Ready(None),
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
        let place = self.trace().waits.last().copied();
        self.reaches(Moment::Suspended(place))
    }

    /// Notes a moment, and tells whether the worker dies at it.
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
                Moment::Before(place) => trace.waits.push(place),
                Moment::After(place) => {
                    if let Some(index) = trace.waits.iter().rposition(|waits| *waits == place) {
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
