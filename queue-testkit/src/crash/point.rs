//! The points at which a worker can crash.

use std::fmt;

use queue_core::JobName;
use queue_core::explore::{SourceLocation, Step};

/// A moment in an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Moment {
    Before(&'static SourceLocation),
    After(&'static SourceLocation),
    /// The attempt is suspended, at this await point if it is known.
    Suspended(Option<&'static SourceLocation>),
    ScopeCloses,
    ScopeClosed,
    /// The attempt has ended and isn't settled.
    Unsettled,
}

/// A moment in the attempts of a job, with the number of its occurrence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CrashPoint {
    pub(crate) job: JobName,
    pub(crate) moment: Moment,
    pub(crate) nth: usize,
}

impl Moment {
    /// Returns the moment of a step. `None` if this testkit doesn't know the step.
    pub(crate) fn of(step: Step) -> Option<Self> {
        match step {
            Step::Before(location) => Some(Self::Before(location)),
            Step::After(location) => Some(Self::After(location)),
            Step::ScopeCloses => Some(Self::ScopeCloses),
            Step::ScopeClosed => Some(Self::ScopeClosed),
            _ => None,
        }
    }
}

impl CrashPoint {
    /// Returns whether the job has done its work and only the record of it is missing. A crash here breaks every job whose effects
    /// are not safe to repeat.
    #[must_use]
    pub fn is_after_the_work(&self) -> bool {
        matches!(self.moment, Moment::ScopeClosed | Moment::Unsettled)
    }

    pub(crate) fn is_suspension(&self) -> bool {
        matches!(self.moment, Moment::Suspended(_))
    }

    /// Returns the name that [`only`](crate::explore::CrashEverywhere::only) accepts.
    #[must_use]
    pub fn name(&self) -> String {
        let Self { job, moment, nth } = self;
        let at = |word: &str, location: &SourceLocation| {
            format!("{word} {}:{}:{}", location.file, location.line, location.column)
        };
        let moment = match moment {
            Moment::Before(location) => at("before", location),
            Moment::After(location) => at("after", location),
            Moment::Suspended(Some(location)) => at("waiting at", location),
            Moment::Suspended(None) => "waiting".to_owned(),
            Moment::ScopeCloses => "scope closes".to_owned(),
            Moment::ScopeClosed => "scope closed".to_owned(),
            Moment::Unsettled => "unsettled".to_owned(),
        };
        format!("{job} {moment} #{nth}")
    }
}

impl fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { job, moment, nth } = self;
        let mut at = |word: &str, location: &SourceLocation| {
            let SourceLocation { file, line, column, text } = location;
            write!(f, "{file}:{line}:{column}: {word} `{text}`, in `{job}`")
        };
        match moment {
            Moment::Before(location) => at("before", location)?,
            Moment::After(location) => at("after", location)?,
            Moment::Suspended(Some(location)) => at("while it waits for", location)?,
            Moment::Suspended(None) => {
                write!(f, "while `{job}` waits for something outside of its own body")?;
            }
            Moment::ScopeCloses => write!(f, "`{job}` has ended, and its units of work have not committed")?,
            Moment::ScopeClosed => {
                write!(f, "the units of work of `{job}` have committed, and it isn't settled")?;
            }
            Moment::Unsettled => write!(f, "`{job}` has ended, and it isn't settled")?,
        }
        if *nth > 1 {
            write!(f, " (the {nth}th time)")?;
        }
        Ok(())
    }
}
