//! What the testkit's crash explorer sees of an attempt, and where it ends one as a crash would.
//!
//! Only with the feature `explore`, which `queue-testkit` turns on: then `#[background_job]` marks the await points of a
//! job's body, and an attempt tells when its scope is about to close, and when it has.
//!
//! A crash is an unwinding that nobody reports and that `attempt` lets through. It ends what runs on this thread for the
//! explorer; what a job has spawned goes on.

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::sync::Arc;

/// Where an await point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The file, as the compiler names it.
    pub file: &'static str,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// What is waited for, as it is written.
    pub text: &'static str,
}

/// A step of an attempt, at which a worker may die.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// It's about to wait for something.
    Before(&'static Place),
    /// It has what it waited for.
    After(&'static Place),
    /// The job's body has ended, and its scope is about to close.
    ScopeCloses,
    /// The scope has closed, its units of work included.
    ScopeClosed,
}

/// Somebody who decides where an attempt crashes.
pub trait Explorer: Send + Sync {
    /// Notes a step, and tells whether the worker dies there.
    fn dies_at(&self, step: Step) -> bool;
}

/// What an attempt that crashes unwinds with.
#[derive(Clone, Copy, Debug)]
pub struct Crash;

thread_local! {
    static EXPLORER: RefCell<Option<Arc<dyn Explorer>>> = const { RefCell::new(None) };
}

/// Does something under the eyes of an explorer, on this thread.
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

/// Tells the explorer of a step, if there is one; the attempt may end here.
pub(crate) fn step(step: Step) {
    let explorer = EXPLORER.with_borrow(Clone::clone);
    // Whoever is unwinding already dies anyway.
    if explorer.is_some_and(|explorer| explorer.dies_at(step)) && !std::thread::panicking() {
        resume_unwind(Box::new(Crash));
    }
}

/// A point that was reached.
#[derive(Clone, Copy, Debug)]
pub struct Point(&'static Place);

/// Reaches a point; generated code calls this.
#[must_use]
pub fn point(place: &'static Place) -> Point {
    step(Step::Before(place));
    Point(place)
}

/// Passes a point, and gives what was waited for; generated code calls this.
pub fn passed<T>(Point(place): Point, (value,): (T,)) -> T {
    step(Step::After(place));
    value
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    static PLACE: Place = Place { file: "a.rs", line: 1, column: 2, text: "a()" };

    struct DiesAfter;

    impl Explorer for DiesAfter {
        fn dies_at(&self, step: Step) -> bool {
            matches!(step, Step::After(_))
        }
    }

    #[test]
    fn a_crash_unwinds_from_where_the_explorer_wants_it() {
        let crashed = catch_unwind(AssertUnwindSafe(|| {
            under(Arc::new(DiesAfter), || {
                let point = point(&PLACE);
                passed(point, (7,))
            })
        }));

        assert!(crashed.is_err_and(|payload| payload.is::<Crash>()));
        assert_eq!(passed(point(&PLACE), (7,)), 7, "nobody looks on any more");
    }
}
