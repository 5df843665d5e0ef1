//! The form that enqueues a job by its name.

use std::time::Duration;

use maud::{Markup, html};
use queue_core::{Body, JobId, JobKind, JobName, NewJob, QueueError, QueueName, Unique};
use serde::Serialize;

use crate::error::BoardError;
use crate::fields::{FormFields, field};
use crate::frame::Frame;
use crate::site::{Glance, Site};

/// The names and queues that the form offers.
#[derive(Debug, Serialize)]
pub(crate) struct EnqueuePage {
    /// The names that running workers know.
    names: Vec<JobName>,
    queues: Vec<QueueName>,
    #[serde(skip)]
    kinds: Vec<JobKind>,
}

impl EnqueuePage {
    pub(crate) fn new(site: &Site, glance: &Glance) -> Self {
        let workers = glance.workers.as_deref().unwrap_or_default();
        let kinds = site.jobs.kinds();
        let announced = workers.iter().flat_map(|worker| worker.jobs.iter().cloned());
        let mut names: Vec<_> = announced.chain(kinds.iter().map(|kind| kind.name.clone())).collect();
        names.sort();
        names.dedup();
        Self { names, queues: glance.summaries.iter().map(|summary| summary.queue.clone()).collect(), kinds }
    }

    pub(crate) fn render(&self, frame: &Frame) -> Markup {
        html! {
            section.narrow {
                h1 { "Enqueue a job" }
                @if !frame.may_act() { p.alert { "You may look at this board, but not change anything." } }
                @else { (self.form(frame)) }
                @if !self.kinds.is_empty() { (self.kinds()) }
            }
        }
    }

    fn form(&self, frame: &Frame) -> Markup {
        html! {
            form.stack #new method="post" action=(frame.to("/enqueue")) {
                label { span { "Name" } input name="name" list="names" required autocomplete="off"; }
                label { span { "Payload, as JSON" } textarea name="payload" rows="6" spellcheck="false" placeholder="{\"user_id\": 42}" {} }
                div.row {
                    label { span { "Queue" } input name="queue" list="queues" placeholder="of the job" autocomplete="off"; }
                    label { span { "Delay in seconds" } input name="delay" type="number" min="0" placeholder="0"; }
                    label { span { "Priority" } input name="priority" type="number" placeholder="of the job"; }
                    label { span { "Attempts" } input name="max_attempts" type="number" min="1" placeholder="of the job"; }
                }
                div.row {
                    label { span { "Unique key" } input name="unique" autocomplete="off"; }
                    label { span { "Meta" } input name="meta" placeholder="tenant=acme" autocomplete="off"; }
                }
                button.primary { "Enqueue" }
                datalist #names { @for name in &self.names { option value=(name) {} } }
                datalist #queues { @for queue in &self.queues { option value=(queue) {} } }
            }
        }
    }

    fn kinds(&self) -> Markup {
        html! {
            h2 { "Jobs of this program" }
            dl.pairs.kinds {
                @for kind in &self.kinds {
                    dt { code { (kind.name) } }
                    dd { code { "{ " (kind.fields.join(", ")) " }" } span.quiet { " queue " (kind.queue) ", " (kind.max_attempts) " attempts" } }
                }
            }
        }
    }
}

/// The submitted form.
pub(crate) struct NewJobForm<'a>(pub(crate) &'a FormFields);

impl NewJobForm<'_> {
    /// Enqueues the job. A field that is empty has the default of the job's kind, if the board knows it.
    pub(crate) async fn push(&self, site: &Site) -> Result<JobId, BoardError> {
        let kinds = site.jobs.kinds();
        let name = self.field("name");
        let kind = kinds.iter().find(|kind| kind.name == *name);
        let payload = self.field("payload");
        let mut job = NewJob::new(name, Body::json(if payload.is_empty() { "null" } else { payload })?);
        if let Some(kind) = kind {
            job = job.queue(&kind.queue).priority(kind.priority).max_attempts(kind.max_attempts);
        }
        if !self.field("queue").is_empty() {
            job = job.queue(self.field("queue"));
        }
        if let Some(priority) = self.number("priority")? {
            job = job.priority(priority);
        }
        if let Some(attempts) = self.number("max_attempts")? {
            job = job.max_attempts(attempts);
        }
        if let Some(seconds) = self.number("delay")? {
            job = job.delay(Duration::from_secs(seconds));
        }
        if !self.field("unique").is_empty() {
            job = job.unique(Unique::new(self.field("unique")));
        }
        if let Some((key, value)) = self.field("meta").split_once('=') {
            job = job.meta(key.trim(), value.trim());
        }
        let receipts = site.queue.push(vec![job]).await?;
        receipts.first().map(|receipt| receipt.id()).ok_or_else(|| no_receipt().into())
    }

    fn field(&self, name: &str) -> &str {
        field(self.0, name).trim()
    }

    fn number<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>, BoardError> {
        let text = self.field(name);
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = |_| BoardError::Invalid(format!("`{text}` is not a number for `{name}`."));
        text.parse().map(Some).map_err(wrong)
    }
}

pub(crate) fn no_receipt() -> QueueError {
    QueueError::unavailable("the queue returned no receipt for the job")
}
