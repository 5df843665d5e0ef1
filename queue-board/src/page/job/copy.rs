//! A copy of a job, with the same payload or an edited one.

use maud::{Markup, html};
use queue_core::{Body, JobId, JobRecord, NewJob, QueueError};

use crate::error::BoardError;
use crate::fields::{FormFields, field};
use crate::frame::Frame;
use crate::job_view::JobView;
use crate::json_text::indent;
use crate::page::enqueue::no_receipt;
use crate::privacy::Privacy;
use crate::site::Site;

/// The form of a copy.
#[derive(Debug)]
pub(crate) struct CopyForm {
    /// The payload to edit, if it is shown as it is stored.
    editable: Option<String>,
    /// Why it cannot be edited.
    obstacle: &'static str,
}

impl CopyForm {
    pub(crate) fn of(job: &JobRecord, privacy: &Privacy) -> Self {
        let shown = privacy.payload(job);
        let whole = shown.text.filter(|_| !shown.is_cut);
        let stored = job.body.encode().ok();
        let (editable, obstacle) = match (whole, stored) {
            _ if job.body.is_closure() => (None, "A closure can't be copied."),
            (None, _) => (None, "The payload is hidden or too long to be edited: the copy has the same one."),
            (Some(shown), Some(stored)) if shown == *stored => (Some(indent(&shown)), ""),
            (Some(_), _) => {
                (None, "A part of the payload is hidden, so it can't be edited: the copy has the same one.")
            }
        };
        Self { editable, obstacle }
    }

    pub(crate) fn render(&self, frame: &Frame, job: &JobView) -> Markup {
        html! {
            details #copy {
                summary { "Run a copy" }
                form method="post" action=(frame.to(&format!("/jobs/{}/copy", job.id))) {
                    @match &self.editable {
                        Some(text) => {
                            label for="payload-text" { "Payload" }
                            textarea #payload-text name="payload" rows=(text.lines().count().clamp(3, 20)) spellcheck="false" { "\n" (text) }
                        },
                        None => p.quiet { (self.obstacle) },
                    }
                    p.quiet { "The copy is a new job in the same queue and partition, with the same priority, attempts and meta, without a unique key." }
                    @if !job.is_closure { button.primary { "Enqueue the copy" } }
                }
            }
        }
    }
}

/// Enqueues a copy of a job. An edited payload must be JSON, and is only taken if the whole payload was shown.
pub(crate) async fn push(site: &Site, id: JobId, fields: &FormFields) -> Result<JobId, BoardError> {
    let job = site.queue.get(id).await?.ok_or_else(|| QueueError::unknown_job(id))?;
    if job.body.is_closure() {
        return Err(BoardError::Conflict("A closure can't be copied: it runs once.".to_owned()));
    }
    let edited = field(fields, "payload");
    let shown = CopyForm::of(&job, &site.privacy).editable;
    let body = match shown {
        _ if edited.trim().is_empty() => job.body.clone(),
        Some(text) if is_same(&text, edited) => job.body.clone(),
        Some(_) => Body::json(edited)?,
        None => {
            return Err(BoardError::Conflict(
                "The payload isn't shown whole, so it can't be edited.".to_owned(),
            ));
        }
    };
    let mut copy =
        NewJob::new(job.name, body).queue(job.queue).priority(job.priority).max_attempts(job.max_attempts);
    copy.partition = job.partition;
    copy.meta = job.meta;
    copy.on_discard = job.on_discard;
    let receipts = site.queue.push(vec![copy]).await?;
    let receipt = receipts.first().copied();
    receipt.map(queue_core::Receipt::id).ok_or_else(|| no_receipt().into())
}

/// Browsers send the lines of a text with other ends.
fn is_same(shown: &str, edited: &str) -> bool {
    shown.trim().lines().eq(edited.trim().lines())
}
