//! Checks that a run is the same each time.

use std::fmt;

use queue_core::admin::AttemptError;
use queue_core::backend::error_chain;
use queue_core::{BoxError, JobRecord};

use crate::explore::HasKit;
use crate::kit::{KitError, TestKit};
use crate::report::Run;

/// Runs the same set-up twice and checks that both runs agree: their attempts, outcomes and times, and the jobs that the queue
/// holds at the end.
///
/// This finds jobs that read real time or draw unseeded random numbers, unless both runs happen to read the same value.
///
/// ```
/// use std::time::SystemTime;
///
/// use queue_core::{JobContext, QueueExt as _, background_job, jobs};
/// use queue_testkit::{TestKit, assert_deterministic};
///
/// #[background_job]
/// async fn note(text: &str) {}
///
/// #[background_job]
/// async fn remind(#[inject] context: &JobContext) {
///     context.then(note::new(format!("{:?}", SystemTime::now())));
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// # queue_testkit::block_on(async {
/// let setup = async || {
///     let kit = TestKit::new(jobs![remind, note]).build()?;
///     kit.queue().enqueue(remind::new()).await?;
///     Ok(kit)
/// };
///
/// let error = assert_deterministic(setup).await.unwrap_err();
///
/// assert!(error.to_string().starts_with("a run is not the same each time: job 2, `note`"), "{error}");
/// # Ok(())
/// # })
/// # }
/// ```
///
/// # Errors
///
/// [`NonDeterministic::Differs`] has the first difference. The other variants say why there was no complete run.
///
/// # Cancel safety
///
/// Dropping the future ends the current run.
pub async fn assert_deterministic<S, W>(setup: S) -> Result<Run, NonDeterministic>
where
    S: AsyncFn() -> Result<W, BoxError>,
    W: HasKit,
{
    let (first, second) = (run(&setup).await?, run(&setup).await?);
    let lines = first.lines.iter().map(Some).chain([None]).zip(second.lines.iter().map(Some).chain([None]));
    match lines.into_iter().find(|(once, again)| once != again) {
        None => Ok(first.run),
        Some((once, again)) => Err(NonDeterministic::differs(once, again)),
    }
}

/// Why runs could not be shown to be the same.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum NonDeterministic {
    /// The runs differ.
    #[error(
        "a run is not the same each time: {job}\n  once:  {once}\n  again: {again}\n\
         A job that reads real time or unseeded randomness can't be repeated. Make it take the time from \
         `JobContext::now` and wait by `JobContext::sleep`, and seed what is random by `JobContext::id`."
    )]
    Differs {
        /// The job or attempt that differs.
        job: String,
        /// How it was in the first run.
        once: String,
        /// How it was in the second run.
        again: String,
    },
    /// The set-up failed.
    #[error("the set-up of a run failed")]
    SetUp(#[source] BoxError),
    /// The kit failed while it ran the jobs.
    #[error("the kit failed")]
    Kit(#[source] KitError),
}

impl NonDeterministic {
    fn differs(once: Option<&Line>, again: Option<&Line>) -> Self {
        let text = |line: Option<&Line>| line.map_or("there was no such thing", |line| &line.text).to_owned();
        let job = once.or(again).map_or_else(String::new, |line| line.about.clone());
        Self::Differs { job, once: text(once), again: text(again) }
    }
}

/// Prints the message with its causes, since a test that returns an error prints its `Debug`.
impl fmt::Debug for NonDeterministic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", error_chain(self))
    }
}

/// A line of text that both runs must agree on.
#[derive(PartialEq, Eq)]
struct Line {
    about: String,
    text: String,
}

struct Made {
    run: Run,
    lines: Vec<Line>,
}

async fn run<S, W>(setup: &S) -> Result<Made, NonDeterministic>
where
    S: AsyncFn() -> Result<W, BoxError>,
    W: HasKit,
{
    let world = setup().await.map_err(NonDeterministic::SetUp)?;
    let run = world.kit().run_until_idle().await.map_err(NonDeterministic::Kit)?;
    let lines = lines(world.kit(), &run);
    Ok(Made { run, lines })
}

fn lines(kit: &TestKit, run: &Run) -> Vec<Line> {
    let trace = run.trace();
    let attempts = trace.lines().zip(run.attempts()).zip(1..).map(|((line, attempt), number)| Line {
        about: format!("attempt {number}, of `{}`", attempt.facts.name),
        text: line.to_owned(),
    });
    let jobs = kit
        .jobs()
        .into_iter()
        .zip(1..)
        .map(|(job, number)| Line { about: format!("job {number}, `{}`", job.name), text: shown(&job) });
    attempts.chain(jobs).collect()
}

fn shown(job: &JobRecord) -> String {
    let payload = job.body.encode().map_or_else(|error| error.to_string(), |text| text.to_string());
    let errors: Vec<_> = job.errors.iter().map(|AttemptError { message, .. }| message.as_str()).collect();
    let meta: Vec<_> = job.meta.iter().collect();
    format!(
        "{} {payload} {} meta {meta:?} run at {} attempt {} errors {errors:?}",
        job.name, job.state, job.run_at, job.attempt
    )
}
