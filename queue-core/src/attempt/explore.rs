//! The hooks by which the testkit's crash explorer observes an attempt, and ends it as a crash would.
//!
//! It exists only with the feature `explore`, which `queue-testkit` enables: then `#[background_job]` marks the await points of a
//! job's body, and an attempt reports when its scope is about to close and when it has closed.
//!
//! A crash is an unwinding that no panic hook reports and that `attempt` does not catch. It ends the work on this thread; tasks
//! that the job has spawned continue.

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::sync::Arc;

/// The source location of an await point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceLocation {
    /// The file, as the compiler names it.
    pub file: &'static str,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// The awaited expression, as it is written.
    pub text: &'static str,
}

/// A step of an attempt, at which a worker may die.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// The job is about to await something.
    Before(&'static SourceLocation),
    /// The job has what it awaited.
    After(&'static SourceLocation),
    /// The job's body has ended, and its scope is about to close.
    ScopeCloses,
    /// The scope has closed, its units of work included.
    ScopeClosed,
}

/// Decides where an attempt crashes.
pub trait Explorer: Send + Sync {
    /// Notes a step, and returns whether the worker dies there.
    fn dies_at(&self, step: Step) -> bool;
}

/// The panic payload of an attempt that crashes.
#[derive(Clone, Copy, Debug)]
pub struct Crash;

thread_local! {
    static EXPLORER: RefCell<Option<Arc<dyn Explorer>>> = const { RefCell::new(None) };
}

/// Runs `work` on this thread with an explorer installed.
pub fn under<T>(explorer: Arc<dyn Explorer>, work: impl FnOnce() -> T) -> T {
    struct Restore(Option<Arc<dyn Explorer>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            EXPLORER.set(self.0.take());
        }
    }
    let _restore = Restore(EXPLORER.replace(Some(explorer)));
    work()
}

/// Reports a step to the explorer, if there is one. The attempt may end here.
pub(crate) fn step(step: Step) {
    let explorer = EXPLORER.with_borrow(Clone::clone);
    // A thread that is unwinding dies already.
    if explorer.is_some_and(|explorer| explorer.dies_at(step)) && !std::thread::panicking() {
        resume_unwind(Box::new(Crash));
    }
}

/// A point that was reached.
#[derive(Clone, Copy, Debug)]
pub struct Point(&'static SourceLocation);

/// Reports that an await point is reached. Generated code calls this.
#[must_use]
pub fn point(location: &'static SourceLocation) -> Point {
    step(Step::Before(location));
    Point(location)
}

/// Reports that an await point is passed, and returns the awaited value. Generated code calls this.
pub fn passed<T>(Point(location): Point, (value,): (T,)) -> T {
    step(Step::After(location));
    value
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    static PLACE: SourceLocation = SourceLocation { file: "a.rs", line: 1, column: 2, text: "a()" };

    struct DiesAfter;

    impl Explorer for DiesAfter {
        fn dies_at(&self, step: Step) -> bool {
            matches!(step, Step::After(_))
        }
    }

    #[test]
    fn a_crash_unwinds_from_the_step_that_the_explorer_chooses() {
        let crashed = catch_unwind(AssertUnwindSafe(|| {
            under(Arc::new(DiesAfter), || {
                let point = point(&PLACE);
                passed(point, (7,))
            })
        }));

        assert!(crashed.is_err_and(|payload| payload.is::<Crash>()));
        assert_eq!(passed(point(&PLACE), (7,)), 7, "no explorer is installed");
    }
}
