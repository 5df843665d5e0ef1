//! Reports of what a kit ran.

use std::fmt::{self, Write as _};
use std::time::Duration;

use queue_core::backend::decode_result;
use queue_core::{
    Body, FailureCause, Job, JobFacts, JobId, JobRecord, Outcome, Partition, Settled, Timestamp, Transition,
};

/// One attempt that was made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AttemptReport {
    /// Which attempt of which job.
    pub facts: JobFacts,
    /// The part of its queue to which the job belongs.
    pub partition: Partition,
    /// The job's body.
    pub body: Body,
    /// When the attempt began.
    pub started_at: Timestamp,
    /// When the attempt was settled.
    pub ended_at: Timestamp,
    /// How the attempt ended. An error's causes are part of its message.
    pub outcome: Outcome,
    /// The transition that the attempt led to.
    pub transition: Transition,
    /// Whether the queue applied that transition.
    pub settled: Settled,
    pub(crate) note: Option<&'static str>,
    /// The time at which the kit began.
    pub(crate) origin: Timestamp,
}

impl AttemptReport {
    /// Returns a note on a failure that the kit's time may have caused: virtual time jumped while the job waited. The note says what
    /// to do if the job waited for something real.
    #[must_use]
    pub fn note(&self) -> Option<&'static str> {
        self.note
    }

    /// Returns an instant as the time since the kit began.
    fn since_origin(&self, at: Timestamp) -> String {
        let since: Duration = at.since(self.origin);
        format!("+{}.{:06}s", since.as_secs(), since.subsec_micros())
    }

    /// Returns whether the attempt failed because the kit does not know the job.
    pub(crate) fn is_of_unknown_job(&self) -> bool {
        self.outcome.failure().is_some_and(|failure| failure.cause == FailureCause::UnknownJob)
    }
}

/// The attempts of a run, and the jobs left unfinished.
#[derive(Clone, Debug)]
pub struct Run {
    attempts: Vec<AttemptReport>,
    waiting: Vec<JobRecord>,
}

impl Run {
    pub(crate) fn new(attempts: Vec<AttemptReport>, waiting: Vec<JobRecord>) -> Self {
        Self { attempts, waiting }
    }

    /// Returns all attempts, in the order in which they ran.
    #[must_use]
    pub fn attempts(&self) -> &[AttemptReport] {
        &self.attempts
    }

    /// Returns the number of attempts of job type `J`.
    #[must_use]
    pub fn attempts_of<J: Job>(&self) -> usize {
        self.attempts.iter().filter(|attempt| attempt.facts.name == J::NAME).count()
    }

    /// Returns the greatest number of attempts of a partition that began within any span of this length, wherever it begins.
    ///
    /// A limit on starts holds if no such span has more of them than the limit allows. Attempts of all queues count, since a run
    /// of a test has few.
    #[must_use]
    pub fn starts_within(&self, partition: impl Into<Partition>, span: Duration) -> usize {
        let partition = partition.into();
        let of_partition = self.attempts.iter().filter(|attempt| attempt.partition == partition);
        let mut starts: Vec<_> = of_partition.map(|attempt| attempt.started_at).collect();
        starts.sort();
        let within = |(first, begin): (usize, &Timestamp)| {
            let end = begin.saturating_add(span);
            starts.iter().skip(first).take_while(|start| **start < end).count()
        };
        starts.iter().enumerate().map(within).max().unwrap_or(0)
    }

    /// Returns the result of the last attempt that completed a job of type `J`.
    ///
    /// # Panics
    ///
    /// If no job of this type completed, or its result can't be decoded. The message lists the attempts.
    #[must_use]
    #[track_caller]
    #[expect(clippy::panic, reason = "a test that asks for a result that is not there fails by a panic")]
    pub fn result_of<J: Job>(&self) -> J::Output {
        let of_job = |attempt: &&AttemptReport| attempt.facts.name == J::NAME;
        let completed = |attempt: &&AttemptReport| {
            matches!(attempt.transition, Transition::Complete { .. }) && attempt.settled == Settled::Applied
        };
        let Some(last) = self.attempts.iter().filter(of_job).rfind(completed) else {
            let attempts: Vec<_> = self.attempts.iter().map(ToString::to_string).collect();
            panic!("no `{}` completed in this run. Its attempts:\n  {}", J::NAME, attempts.join("\n  "));
        };
        decode_result(last.transition.result()).unwrap_or_else(|reason| {
            panic!("the result of `{}` is not a `{}`: {reason}", J::NAME, std::any::type_name::<J::Output>())
        })
    }

    /// Returns the jobs that were unfinished at the end: due after the horizon, or in a paused queue. The ticks of schedules are left
    /// out.
    #[must_use]
    pub fn waiting(&self) -> &[JobRecord] {
        &self.waiting
    }

    /// Returns the attempts that failed.
    pub fn failures(&self) -> impl Iterator<Item = &AttemptReport> {
        self.attempts.iter().filter(|attempt| attempt.outcome.failure().is_some())
    }

    /// Asserts that every attempt succeeded.
    ///
    /// # Panics
    ///
    /// If an attempt did not succeed. The message lists the errors.
    #[track_caller]
    pub fn expect_success(&self) {
        let bad: Vec<_> = self.attempts.iter().filter(|attempt| !attempt.outcome.is_success()).collect();
        let text = bad.iter().fold(String::new(), |text, attempt| {
            let note = attempt.note.map(|note| format!("\n    note: {note}"));
            text + &format!("\n  {attempt}{}", note.unwrap_or_default())
        });
        assert!(bad.is_empty(), "{} of {} attempts did not succeed:{text}", bad.len(), self.attempts.len());
    }

    /// Returns the run as text, one line per attempt. The same seed gives the same bytes on every machine.
    ///
    /// Jobs are numbered in the order of their first attempts.
    #[must_use]
    pub fn trace(&self) -> String {
        let mut seen: Vec<JobId> = Vec::new();
        let mut text = String::new();
        for attempt in &self.attempts {
            let number = seen.iter().position(|id| *id == attempt.facts.id).unwrap_or_else(|| {
                seen.push(attempt.facts.id);
                seen.len() - 1
            });
            // Writing to a string can't fail.
            let _ = writeln!(text, "{} #{} {attempt}", attempt.since_origin(attempt.started_at), number + 1);
        }
        text
    }
}

impl fmt::Display for AttemptReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} attempt {}: ", self.facts.name, self.facts.attempt)?;
        match &self.outcome {
            Outcome::Success => f.write_str("success")?,
            Outcome::Failure(failure) => write!(f, "failure: {failure}")?,
            Outcome::Snooze(wait) => write!(f, "snooze for {wait:?}")?,
            Outcome::Throttle(wait) => write!(f, "throttle for {wait:?}")?,
            Outcome::Cancel(reason) => write!(f, "cancel: {reason}")?,
            Outcome::Interrupted => f.write_str("interrupted")?,
        }
        match &self.transition {
            Transition::Retry { at, .. } => write!(f, " → retry at {}", self.since_origin(*at))?,
            Transition::Snooze { at, .. } | Transition::Throttle { at } => {
                write!(f, " → again at {}", self.since_origin(*at))?;
            }
            Transition::Discard { .. } => f.write_str(" → discarded")?,
            Transition::Release => f.write_str(" → released")?,
            _ => {}
        }
        match self.settled {
            Settled::Applied => Ok(()),
            Settled::Stale => f.write_str(" (stale: not recorded)"),
            Settled::Blocked => f.write_str(" (blocked by an open transaction: not recorded)"),
            other => write!(f, " ({other:?})"),
        }
    }
}
