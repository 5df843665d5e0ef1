//! A job as a verb prints it.

use queue_core::admin::AttemptError;
use queue_core::{Body, JobId, JobName, JobProgress, JobRecord, Meta, QueueName, State, WorkerId};
use serde::{Serialize, Serializer};

use crate::output::{Cell, Record, Rfc3339, Times};

/// A job in JSON, and as a row of a list. `docs/cli.md` documents its fields.
#[derive(Serialize)]
pub(crate) struct JobLine<'a> {
    id: JobId,
    name: &'a JobName,
    queue: &'a QueueName,
    partition: Option<&'a str>,
    state: State,
    priority: i32,
    attempt: u32,
    max_attempts: u32,
    pushed_at: Rfc3339,
    run_at: Rfc3339,
    claimed_at: Option<Rfc3339>,
    worker: Option<&'a WorkerId>,
    lease_expires_at: Option<Rfc3339>,
    finished_at: Option<Rfc3339>,
    unique: Option<&'a str>,
    meta: &'a Meta,
    #[serde(serialize_with = "serialize_errors")]
    errors: &'a [AttemptError],
    cancel_reason: Option<&'a str>,
    progress: Option<&'a JobProgress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a Body>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Body>,
}

#[derive(Serialize)]
struct ErrorLine<'a> {
    attempt: u32,
    at: Rfc3339,
    message: &'a str,
}

fn serialize_errors<S: Serializer>(errors: &&[AttemptError], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(errors.iter().map(ErrorLine::new))
}

impl<'a> ErrorLine<'a> {
    fn new(error: &'a AttemptError) -> Self {
        Self { attempt: error.attempt, at: Rfc3339(error.at), message: &error.message }
    }
}

/// Whether a verb shows what may be private: the payload and the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privacy {
    Hidden,
    Shown,
}

impl<'a> JobLine<'a> {
    pub(crate) fn new(job: &'a JobRecord, privacy: Privacy) -> Self {
        let is_shown = privacy == Privacy::Shown;
        Self {
            id: job.id,
            name: &job.name,
            queue: &job.queue,
            partition: job.partition.name(),
            state: job.state,
            priority: job.priority,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            pushed_at: Rfc3339(job.pushed_at),
            run_at: Rfc3339(job.run_at),
            claimed_at: job.claimed_at.map(Rfc3339),
            worker: job.claimed_by.as_ref(),
            lease_expires_at: job.lease_expires_at.map(Rfc3339),
            finished_at: job.finished_at.map(Rfc3339),
            unique: job.unique.as_deref(),
            meta: &job.meta,
            errors: &job.errors,
            cancel_reason: job.cancel_reason.as_deref(),
            progress: job.progress.as_ref(),
            payload: is_shown.then_some(&job.body),
            result: job.result.as_ref().filter(|_| is_shown).map(|result| Body::stored(result.as_str())),
        }
    }

    /// Returns the time of the job's last step: its finish, its claim, or the time at which it is ready.
    fn time(&self) -> Rfc3339 {
        let claimed_at = self.claimed_at.filter(|_| self.state == State::Executing);
        self.finished_at.or(claimed_at).unwrap_or(self.run_at)
    }

    /// Returns the detail of its state: the reason of its cancellation, its progress, its last error.
    fn detail(&self) -> String {
        let progress = self.progress.map(|progress| format!("{} % {}", progress.percent(), progress.note()));
        let error = || self.errors.last().map(|error| error.message.clone());
        let error = if self.state == State::Completed { None } else { error() };
        self.cancel_reason.map(str::to_owned).or(progress).or(error).unwrap_or_default()
    }

    /// Returns all fields that have a value, each with its name.
    pub(crate) fn fields(&self, times: Times) -> Vec<(String, Cell)> {
        let text = |text: Option<&str>| text.map(Cell::text);
        let at = |time: Option<Rfc3339>| time.map(|time| Cell::time(time.0, times));
        let fields = [
            ("id", Some(Cell::text(self.id))),
            ("name", Some(Cell::text(self.name))),
            ("queue", Some(Cell::text(self.queue))),
            ("partition", text(self.partition)),
            ("state", Some(Cell::state(self.state))),
            ("priority", Some(Cell::text(self.priority))),
            ("attempt", Some(Cell::text(format!("{} of {}", self.attempt, self.max_attempts)))),
            ("pushed at", at(Some(self.pushed_at))),
            ("run at", at(Some(self.run_at))),
            ("claimed at", at(self.claimed_at)),
            ("worker", text(self.worker.map(WorkerId::as_str))),
            ("lease expires at", at(self.lease_expires_at)),
            ("finished at", at(self.finished_at)),
            ("unique", text(self.unique)),
            ("cancel reason", text(self.cancel_reason)),
            (
                "progress",
                self.progress
                    .map(|progress| Cell::text(format!("{} % {}", progress.percent(), progress.note()))),
            ),
        ];
        let named = fields.into_iter().filter_map(|(name, cell)| Some((name.to_owned(), cell?)));
        let meta = self.meta.iter().map(|(key, value)| (format!("meta {key}"), Cell::text(value)));
        let errors = self.errors.iter().map(|error| {
            let name = format!("error {}", error.attempt);
            (name, Cell::text(format!("{} ({})", error.message, times.show(error.at))))
        });
        let body = |name: &str, body: Option<&Body>| {
            let json = body.and_then(|body| body.encode().ok());
            json.map(|json| (name.to_owned(), Cell::text(&*json)))
        };
        let bodies = body("payload", self.payload).into_iter().chain(body("result", self.result.as_ref()));
        named.chain(meta).chain(errors).chain(bodies).collect()
    }
}

impl Record for JobLine<'_> {
    const HEADERS: &'static [&'static str] = &["ID", "STATE", "QUEUE", "NAME", "ATTEMPT", "TIME", "DETAIL"];

    fn cells(&self, times: Times) -> Vec<Cell> {
        vec![
            Cell::text(self.id),
            Cell::state(self.state),
            Cell::text(self.queue),
            Cell::text(self.name),
            Cell::text(format!("{}/{}", self.attempt, self.max_attempts)),
            Cell::time(self.time().0, times),
            Cell::text(self.detail()),
        ]
    }
}
