//! One job: the reasons why it is not running, its timeline, and its data.

mod actions;
pub(crate) mod copy;
mod data;
mod reason;
pub(crate) mod test_file;
mod timeline;

use maud::{Markup, html};
use queue_core::admin::Reason;
use queue_core::{JobId, JobRecord, QueueError};
use serde::Serialize;

use crate::error::BoardError;
use crate::frame::Frame;
use crate::job_view::JobView;
use crate::site::{Glance, Site};
use crate::text::badge::badge;

use copy::CopyForm;
use reason::{is_trouble, sentence};

/// A job with the reasons why it is not running now.
#[derive(Debug, Serialize)]
pub(crate) struct JobDetail {
    #[serde(flatten)]
    job: JobView,
    reasons: Vec<Reason>,
    #[serde(skip)]
    copy: CopyForm,
    /// Whether the job can be exported as a test.
    #[serde(skip)]
    is_exported: bool,
}

impl JobDetail {
    pub(crate) async fn read(site: &Site, glance: &Glance, id: JobId) -> Result<Self, BoardError> {
        let record = site.queue.get(id).await?.ok_or_else(|| QueueError::unknown_job(id))?;
        Ok(Self {
            reasons: reasons(site, glance, &record).await?,
            copy: CopyForm::of(&record, &site.privacy),
            is_exported: site.privacy.shows() && !record.body.is_closure(),
            job: JobView::new(&record, &site.privacy),
        })
    }

    pub(crate) fn title(&self) -> String {
        format!("{} · {}", self.job.name, self.job.state)
    }

    pub(crate) fn render(&self, frame: &Frame) -> Markup {
        let job = &self.job;
        html! {
            article.job {
                div.head {
                    h1 { a.plain href=(frame.to(&format!("/jobs?name={}", job.name))) { (job.name) } " " (badge(job.state)) }
                    p.quiet { code #id { (job.id) } " in the queue " a #back href=(frame.to(&format!("/jobs?queue={}", job.queue))) { (job.queue) } }
                    (actions::render(frame, self))
                }
                (self.why(frame))
                (timeline::render(frame, job))
                div.columns {
                    div {
                        (data::errors(frame, job))
                        (data::texts(job))
                        @if frame.may_act() { (self.copy.render(frame, job)) }
                    }
                    (data::facts(job))
                }
            }
        }
    }

    /// Renders the button that removes a reason, if the board has one that is not a button of the job.
    fn cure(&self, frame: &Frame, reason: &Reason) -> Markup {
        let id = self.job.id.to_string();
        html! {
            @if let Reason::Paused { queue } = reason {
                (frame.button_with(&format!("/queues/{queue}/resume"), "Resume the queue", "small primary", &[("job", &id)]))
            }
        }
    }

    fn why(&self, frame: &Frame) -> Markup {
        html! {
            section #why aria-label="Why it is not running" {
                ul.reasons {
                    @for reason in &self.reasons {
                        li class={ (self.job.state) @if is_trouble(reason) { " trouble" } } { span { (sentence(frame, reason)) } (self.cure(frame, reason)) }
                    }
                }
                @if let Some(progress) = &self.job.progress {
                    p.progress { progress max="100" value=(progress.percent()) {} " " (progress.percent()) " % " span.quiet { (progress.note()) } }
                }
            }
        }
    }
}

/// Returns the reasons, with the messages as they are shown.
async fn reasons(site: &Site, glance: &Glance, record: &JobRecord) -> Result<Vec<Reason>, BoardError> {
    let summary = glance.summaries.iter().find(|summary| summary.queue == record.queue);
    let reasons = Reason::of(&site.privacy.with_messages(record), summary, glance.workers.as_deref());
    Ok(Reason::with_limits(reasons, site.queue.limits_that_hold(record).await?))
}
