//! What an exploration found.

use std::fmt::{self, Write as _};

use queue_core::BoxError;
use queue_core::error::chain;

use super::point::CrashPoint;
use crate::kit::KitError;

/// A point at which a crash breaks the invariant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Break {
    /// Where the worker died.
    pub point: CrashPoint,
    /// What the invariant says.
    pub message: String,
}

/// What an exploration found, or why it could not explore.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ExploreError {
    /// Crashes break the invariant.
    #[error("{}", broken(breaks, *crashes))]
    Broken {
        /// At how many points the worker died.
        crashes: usize,
        /// Those at which that broke the invariant, in the order in which they come in a run.
        breaks: Vec<Break>,
    },
    /// The invariant doesn't hold where nothing crashes.
    #[error("the invariant is broken without any crash: {0}")]
    WithoutCrash(String),
    /// The set-up failed.
    #[error("the set-up of a run failed")]
    SetUp(#[source] BoxError),
    /// The kit could not run the jobs to their end.
    #[error("a run could not go on")]
    Kit(#[source] KitError),
    /// There was nothing to crash.
    #[error("no job ran, so there is nothing to crash: enqueue one in the set-up")]
    NothingRan,
    /// A run did not come by a point that another came by.
    #[error(
        "`{}` was not reached when it was to crash: the job doesn't do the same each time, as one does that uses real time \
         or randomness of its own", .0.name()
    )]
    NotReached(CrashPoint),
    /// The point that alone was to be explored is none.
    #[error("there is no point `{only}`; those that there are:\n  {}", names.join("\n  "))]
    NoSuchPoint {
        /// What was asked for.
        only: String,
        /// The names that there are.
        names: Vec<String>,
    },
}

/// The text with its causes, since tests that end with an error show its `Debug`.
impl fmt::Debug for ExploreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", chain(self))
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
            "\n\nWhere a job has ended and isn't settled, it runs once more, whatever it has done. An effect that must not \
             happen twice needs a key by which whoever it's asked of knows it again, such as the job's id; or it commits \
             together with the job's completion, in a unit of work of the queue.",
        );
    }
    text
}
