//! The errors of an exploration.

use std::fmt::{self, Write as _};

use queue_core::BoxError;
use queue_core::backend::error_chain;

use crate::crash::CrashPoint;
use crate::kit::KitError;

/// A point at which a crash breaks the invariant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Break {
    /// The point of the crash.
    pub point: CrashPoint,
    /// The invariant's error.
    pub message: String,
}

/// The result of an exploration that failed, or the reason why it could not start.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ExploreError {
    /// Crashes break the invariant.
    #[error("{}", broken(breaks, *crashes))]
    Broken {
        /// The number of points at which the worker crashed.
        crashes: usize,
        /// The points at which a crash broke the invariant, in the order in which a run passes them.
        breaks: Vec<Break>,
    },
    /// The invariant is broken without any crash.
    #[error("the invariant is broken without any crash: {0}")]
    WithoutCrash(String),
    /// The set-up failed.
    #[error("the set-up of a run failed")]
    SetUp(#[source] BoxError),
    /// The kit failed while it ran the jobs.
    #[error("the kit failed")]
    Kit(#[source] KitError),
    /// No job ran.
    #[error("no job ran, so there is nothing to crash: enqueue one in the set-up")]
    NothingRan,
    /// A run did not reach a point that the first run passed.
    #[error(
        "`{}` was not reached when it should crash: the job is not deterministic, perhaps because it uses real time \
         or randomness of its own", .0.name()
    )]
    NotReached(CrashPoint),
    /// The point passed to `only` does not exist.
    #[error("there is no point `{only}`; the points are:\n  {}", names.join("\n  "))]
    NoSuchPoint {
        /// The name that was passed.
        only: String,
        /// The names of all points.
        names: Vec<String>,
    },
}

/// Prints the message with its causes, since a test that returns an error prints its `Debug`.
impl fmt::Debug for ExploreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", error_chain(self))
    }
}

fn broken(breaks: &[Break], crashes: usize) -> String {
    let mut text =
        format!("the invariant is broken if the worker dies at {} of {crashes} points:", breaks.len());
    for Break { point, message } in breaks {
        let message = message.replace('\n', "\n    ");
        // Writing to a string can't fail.
        let _ = write!(
            text,
            "\n\n  {point}\n    {message}\n    again: crash_everywhere(..).only({:?}).check(..)",
            point.name()
        );
    }
    if breaks.iter().any(|broken| broken.point.is_after_the_work()) {
        text.push_str(
            "\n\nA job that has ended and isn't settled runs again, even if its effects are done. An effect that must not \
             happen twice needs an idempotency key, such as the job's id, that its receiver checks; or it commits \
             together with the job's completion, in a unit of work of the queue.",
        );
    }
    text
}
