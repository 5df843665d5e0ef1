//! The limits of queues, and their partitions by fullness.

mod row;

use maud::{Markup, html};
use queue_core::admin::{LimitRecord, QueueUsage, Usage, UsageRequest};
use queue_core::{LimitScope, QueueErrorKind, QueueName};
use serde::Serialize;

use crate::error::BoardError;
use crate::frame::Frame;
use crate::site::{Glance, Site};
use row::{Row, columns};

/// How many partitions of a queue are shown, the fullest first.
const SHOWN: usize = 50;

/// The queues that have limits or partitions.
#[derive(Debug, Serialize)]
pub(crate) struct LimitList {
    /// `None` if the queue has neither partitions nor limits.
    queues: Option<Vec<LimitedQueue>>,
}

/// One queue with its limits, and with its fullest partitions.
#[derive(Debug, Serialize)]
struct LimitedQueue {
    limits: Vec<LimitRecord>,
    #[serde(flatten)]
    usage: QueueUsage,
}

impl LimitList {
    pub(crate) async fn read(site: &Site, glance: &Glance) -> Result<Self, BoardError> {
        let mut queues = Vec::new();
        for summary in &glance.summaries {
            match LimitedQueue::read(site, &summary.queue).await {
                Ok(queue) if queue.is_plain() => {}
                Ok(queue) => queues.push(queue),
                Err(error) if error.kind() == QueueErrorKind::Unsupported => {
                    return Ok(Self { queues: None });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self { queues: Some(queues) })
    }

    pub(crate) fn render(&self, frame: &Frame) -> Markup {
        html! {
            h1.visually-hidden { "Limits" }
            @match self.queues.as_deref() {
                None => p.note { "This queue has no partitions and limits." },
                Some([]) => section.empty {
                    h2 { "No queue has partitions or limits" }
                    p { "A service declares limits with " code { "QueueService::limit" } ", and a job names its partition with " code { "partition = \"{tenant}\"" } "." }
                },
                Some(queues) => @for queue in queues { (queue.card(frame)) },
            }
        }
    }
}

impl LimitedQueue {
    async fn read(site: &Site, queue: &QueueName) -> Result<Self, queue_core::QueueError> {
        let limits = site.queue.limits(queue).await?;
        let usage = site.queue.usage(&UsageRequest::of(queue).limit(SHOWN)).await?;
        Ok(Self { limits, usage })
    }

    /// Returns whether the queue has neither limits nor jobs with partitions.
    fn is_plain(&self) -> bool {
        self.limits.is_empty() && self.usage.partitions.iter().all(|used| used.partition.is_none())
    }

    fn card(&self, frame: &Frame) -> Markup {
        let queue = &self.usage.queue;
        let partitions = self.usage.partitions.iter();
        let partitions = partitions.map(|used| (LimitScope::One(used.partition.clone()), &used.usage));
        html! {
            section.card id={ "limits-" (queue) } {
                div.head { h2 { a href=(frame.to(&format!("/jobs?queue={queue}"))) { (queue) } } }
                table.limits {
                    thead { (columns(frame)) }
                    tbody {
                        (self.row(LimitScope::Total, Some(&self.usage.total)).render(frame))
                        (self.row(LimitScope::Each, None).render(frame))
                        @for (scope, usage) in partitions { (self.row(scope, Some(usage)).render(frame)) }
                    }
                }
                @if self.usage.partitions.len() == SHOWN { p.note { "Only the fullest " (SHOWN) " partitions are shown." } }
            }
        }
    }

    fn row<'a>(&'a self, scope: LimitScope, usage: Option<&'a Usage>) -> Row<'a> {
        let record = self.limits.iter().find(|record| record.scope == scope);
        Row { queue: &self.usage.queue, scope, usage, record }
    }
}
