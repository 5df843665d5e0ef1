//! Assertions on the jobs of a kit's queue. A failed assertion shows the jobs that come closest.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};

use queue_core::{Discarded, Job, JobRecord, State};

use crate::kit::TestKit;

impl TestKit {
    /// Asserts that this job has completed.
    ///
    /// # Panics
    ///
    /// If the job is not there or is in another state. The message compares the closest jobs field by field.
    #[track_caller]
    pub fn assert_completed<J: Job>(&self, job: &J) {
        self.assert_state(job, State::Completed);
    }

    /// Asserts that this job was discarded.
    ///
    /// # Panics
    ///
    /// If the job is not there or is in another state. The message compares the closest jobs field by field.
    #[track_caller]
    pub fn assert_discarded<J: Job>(&self, job: &J) {
        self.assert_state(job, State::Discarded);
    }

    /// Asserts that this job was discarded, and that a job of the kind `H` was stored for the discard:
    /// `kit.assert_on_discard(alert::new, &charge::new(7))`. Returns the [`Discarded`] that the stored job takes.
    ///
    /// # Panics
    ///
    /// If the job was not discarded, or no job of the kind `H` was stored for it. The message shows the discarded jobs for which
    /// jobs of that kind were stored.
    #[track_caller]
    pub fn assert_on_discard<H: Job, J: Job>(&self, handler: fn(Discarded) -> H, job: &J) -> Discarded {
        // The function names the kind of the job.
        let _ = handler;
        self.assert_discarded(job);
        let handled: Vec<_> =
            self.records().iter().filter(|record| record.name == H::NAME).filter_map(carried).collect();
        let is_this = |discarded: &&Discarded| {
            discarded.name == J::NAME && discarded.payload::<J>().is_ok_and(|payload| payload == *job)
        };
        match handled.iter().find(is_this) {
            Some(discarded) => discarded.clone(),
            #[expect(clippy::panic, reason = "an assertion fails by a panic")]
            None => panic!("no `{}` was stored for the discard of:\n  {job:?}{}", H::NAME, listed(&handled)),
        }
    }

    /// Asserts that this job was cancelled.
    ///
    /// # Panics
    ///
    /// If the job is not there or is in another state. The message compares the closest jobs field by field.
    #[track_caller]
    pub fn assert_cancelled<J: Job>(&self, job: &J) {
        self.assert_state(job, State::Cancelled);
    }

    #[track_caller]
    fn assert_state<J: Job>(&self, job: &J, state: State) {
        let found = found::<J>(&self.records());
        if found.iter().any(|(record, payload)| record.state == state && payload == job) {
            return;
        }
        let differences = |(record, payload): &(JobRecord, J)| {
            let fields = fields(&format!("{job:#?}"), &format!("{payload:#?}"));
            let state_differs =
                (record.state != state).then(|| format!("state: expected {state}, is {}", record.state));
            let mut lines: Vec<_> = state_differs.into_iter().chain(fields).collect();
            lines.extend(record.errors.last().map(|error| format!("its last error: {}", error.message)));
            lines.extend(self.note_on_job(record.id).map(|note| format!("note: {note}")));
            lines
        };
        fail(&format!("no `{}` that has {state} is\n  {job:?}", J::NAME), &found, differences);
    }
}

/// One field of a payload that an assertion names.
#[doc(hidden)]
#[derive(Debug)]
pub struct FieldCheck {
    /// The field.
    pub name: &'static str,
    /// Whether it is as expected.
    pub is_equal: bool,
    /// The expected value.
    pub expected: String,
    /// The actual value.
    pub actual: String,
}

/// Panics unless an unfinished job has the expected fields. Used by [`assert_enqueued!`](crate::assert_enqueued).
#[doc(hidden)]
#[track_caller]
pub fn enqueued<J: Job>(kit: &TestKit, expected: &str, check: impl Fn(&J) -> Vec<FieldCheck>) {
    let found = unfinished::<J>(kit);
    if found.iter().any(|(_, payload)| check(payload).iter().all(|field| field.is_equal)) {
        return;
    }
    let differences = |(_, payload): &(JobRecord, J)| {
        let checks = check(payload);
        let wrong = checks.into_iter().filter(|field| !field.is_equal);
        wrong
            .map(|field| format!("{}: expected {}, is {}", field.name, field.expected, field.actual))
            .collect()
    };
    fail(&format!("no unfinished `{}` is\n  {expected}", J::NAME), &found, differences);
}

/// Panics if an unfinished job has the given fields. Used by [`refute_enqueued!`](crate::refute_enqueued).
#[doc(hidden)]
#[track_caller]
pub fn not_enqueued<J: Job>(kit: &TestKit, expected: &str, check: impl Fn(&J) -> Vec<FieldCheck>) {
    let found = unfinished::<J>(kit);
    let is_one = |(_, payload): &&(JobRecord, J)| check(payload).iter().all(|field| field.is_equal);
    let there: Vec<_> = found.iter().filter(is_one).map(|(_, payload)| format!("{payload:?}")).collect();
    assert!(
        there.is_empty(),
        "an unfinished `{}` is {expected}, and none should be:\n  {}",
        J::NAME,
        there.join("\n  ")
    );
}

/// Asserts that there is an unfinished job with these fields; fields after `..` don't matter.
///
/// ```
/// # use queue_core::{background_job, jobs, QueueExt as _};
/// # use queue_testkit::{assert_enqueued, refute_enqueued, TestKit};
/// #[background_job]
/// async fn send_welcome(user_id: u64, template: &str) {}
///
/// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// # queue_testkit::block_on(async {
/// let kit = TestKit::new(jobs![send_welcome]).build()?;
/// kit.queue().enqueue(send_welcome::new(42, "hello")).await?;
///
/// assert_enqueued!(kit, send_welcome { user_id: 42, .. });
/// assert_enqueued!(kit, send_welcome { user_id: 42, template: "hello" });
/// refute_enqueued!(kit, send_welcome { user_id: 43, .. });
/// # Ok(())
/// # })
/// # }
/// ```
#[macro_export]
macro_rules! assert_enqueued {
    ($kit:expr, $($job:ident)::+ { $($field:ident : $value:expr),* $(, ..)? $(,)? }) => {
        $crate::assert::enqueued::<$($job)::+>(
            &$kit,
            stringify!($($job)::+ { $($field: $value),* }),
            |job| vec![$($crate::assert::field(stringify!($field), &job.$field, &$value)),*],
        )
    };
    ($kit:expr, $($job:ident)::+ { .. }) => { $crate::assert_enqueued!($kit, $($job)::+ {}) };
}

/// Asserts that there is no unfinished job with these fields; fields after `..` don't matter.
#[macro_export]
macro_rules! refute_enqueued {
    ($kit:expr, $($job:ident)::+ { $($field:ident : $value:expr),* $(, ..)? $(,)? }) => {
        $crate::assert::not_enqueued::<$($job)::+>(
            &$kit,
            stringify!($($job)::+ { $($field: $value),* }),
            |job| vec![$($crate::assert::field(stringify!($field), &job.$field, &$value)),*],
        )
    };
    ($kit:expr, $($job:ident)::+ { .. }) => { $crate::refute_enqueued!($kit, $($job)::+ {}) };
}

/// Compares one field.
#[doc(hidden)]
pub fn field<T: Debug + PartialEq<U>, U: Debug>(name: &'static str, actual: &T, expected: &U) -> FieldCheck {
    FieldCheck {
        name,
        is_equal: actual == expected,
        expected: format!("{expected:?}"),
        actual: format!("{actual:?}"),
    }
}

/// Returns the discarded job that a job carries as its parameter.
fn carried(record: &JobRecord) -> Option<Discarded> {
    record.body.decode::<BTreeMap<String, Discarded>>().ok()?.into_values().next()
}

/// Lists the discarded jobs for which a job was stored, one on a line.
fn listed(handled: &[Discarded]) -> String {
    let line = |job: &Discarded| format!("\n  {} {}: {}", job.name, job.payload_json(), job.last_error());
    match handled {
        [] => "\nnone was stored for any job".to_owned(),
        handled => format!("\nit was stored for{}", handled.iter().map(line).collect::<String>()),
    }
}

fn found<J: Job>(records: &[JobRecord]) -> Vec<(JobRecord, J)> {
    let of_kind = records.iter().filter(|record| record.name == J::NAME);
    of_kind.filter_map(|record| Some((record.clone(), record.body.decode().ok()?))).collect()
}

fn unfinished<J: Job>(kit: &TestKit) -> Vec<(JobRecord, J)> {
    let mut found = found::<J>(&kit.records());
    found.retain(|(record, _)| !record.state.is_finished());
    found
}

/// Panics with the closest of the candidates: the one with the fewest differences.
#[track_caller]
fn fail<J: Job>(
    what: &str,
    found: &[(JobRecord, J)],
    differences: impl Fn(&(JobRecord, J)) -> Vec<String>,
) -> ! {
    let mut compared: Vec<_> = found.iter().map(|one| (differences(one), one)).collect();
    compared.sort_by_key(|(lines, _)| lines.len());
    let mut text = what.to_owned();
    match compared.first() {
        // Writing to a string can't fail.
        None => _ = write!(text, "\nand there is no `{}` at all", J::NAME),
        Some((lines, (record, payload))) => {
            _ = write!(text, "\nthe nearest of {} is {}\n  {payload:?}", compared.len(), record.state);
            for line in lines {
                _ = write!(text, "\n    {line}");
            }
        }
    }
    #[expect(clippy::panic, reason = "an assertion fails by a panic")]
    {
        panic!("{text}")
    }
}

/// Compares two values by their pretty debug text, line by line.
fn fields(expected: &str, actual: &str) -> Vec<String> {
    let lines = expected.lines().zip(actual.lines());
    let differing = lines.filter(|(expected, actual)| expected != actual);
    differing
        .map(|(expected, actual)| {
            format!(
                "expected `{}`, is `{}`",
                expected.trim().trim_end_matches(','),
                actual.trim().trim_end_matches(',')
            )
        })
        .collect()
}
