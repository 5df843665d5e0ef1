//! The schedules of one group: when each comes next, and what became of its last ticks.

mod query;
mod row;

use maud::{Markup, html};
use queue_core::Timestamp;
use queue_schedules::{ScheduleCursor, ScheduleRecord, Schedules, TickRun};
use serde::Serialize;

use crate::error::BoardError;
use crate::frame::Frame;
use crate::site::{Glance, Site};
use crate::text::number::of;

pub(crate) use query::SchedulesQuery;

/// The number of schedules of a page.
const PAGE: usize = 25;

/// The number of ticks to come that are shown.
const NEXT: usize = 5;

/// The number of past ticks that are shown.
const PAST: usize = 12;

/// A page of the schedules of a group.
#[derive(Debug, Serialize)]
pub(crate) struct ScheduleList {
    /// The groups that have schedules.
    groups: Vec<String>,
    group: Option<String>,
    schedules: Vec<ScheduleView>,
    next: Option<ScheduleCursor>,
    #[serde(skip)]
    is_first: bool,
}

/// A schedule with the ticks around now.
#[derive(Debug, Serialize)]
struct ScheduleView {
    #[serde(flatten)]
    record: ScheduleRecord,
    next: Vec<Timestamp>,
    /// The last ticks, the oldest first.
    recent: Vec<TickRun>,
}

impl ScheduleList {
    /// Reads a page of a group: without one in the query, of the first group.
    pub(crate) async fn read(
        site: &Site,
        glance: &Glance,
        query: &SchedulesQuery,
    ) -> Result<Self, BoardError> {
        let groups = Schedules::groups(&glance.summaries);
        let group = query.group().map(str::to_owned).or_else(|| groups.first().cloned());
        let is_first = query.after().is_none();
        let Some(name) = &group else {
            return Ok(Self { groups, group, schedules: Vec::new(), next: None, is_first });
        };
        let handle = Schedules::new(name, site.queue.clone());
        let page = handle.page(query.after().cloned(), PAGE).await?;
        let recent = handle.recent(&page.schedules, PAST).await?;
        let view = |(record, recent): (ScheduleRecord, _)| {
            let next = record.next(NEXT);
            ScheduleView { record, next, recent }
        };
        let schedules = page.schedules.into_iter().zip(recent).map(view).collect();
        Ok(Self { groups, group, schedules, next: page.next, is_first })
    }

    pub(crate) fn render(&self, frame: &Frame) -> Markup {
        html! {
            h1.visually-hidden { "Schedules" }
            @match &self.group {
                None => (empty()),
                Some(group) => {
                    (self.groups(frame, group))
                    @if self.schedules.is_empty() {
                        p.empty #none { @if self.next.is_some() { "The other schedules are on the next page." } @else { "The group has no schedule." } }
                    } @else {
                        table.schedules {
                            thead { (row::columns(frame)) }
                            tbody #schedules { @for schedule in &self.schedules { (row::render(frame, schedule)) } }
                        }
                    }
                    (self.pager(frame, group))
                }
            }
        }
    }

    fn groups(&self, frame: &Frame, group: &str) -> Markup {
        let path = |group: &str| frame.to(&SchedulesQuery::of(group, None).path());
        html! {
            nav.states aria-label="Groups" {
                @for other in &self.groups {
                    a href=(path(other)) aria-current=[(other == group).then_some("page")] { (other) }
                }
            }
        }
    }

    fn pager(&self, frame: &Frame, group: &str) -> Markup {
        let path = |after: Option<&ScheduleCursor>| frame.to(&SchedulesQuery::of(group, after).path());
        html! {
            nav.pager aria-label="Pages of the list" {
                @if !self.is_first { a.button href=(path(None)) { "First page" } }
                span.quiet { (of(self.schedules.len() as u64, "schedule")) " on this page" }
                @if let Some(next) = &self.next { a.button #next rel="next" href=(path(Some(next))) { "Next page" } }
            }
        }
    }
}

fn empty() -> Markup {
    html! {
        section.empty {
            h2 { "There is no schedule yet" }
            p { "A schedule enqueues a job at the times of a cron expression, or at an interval. It appears here with the first start of its program." }
            pre { "#[background_job(cron = \"0 2 * * *\", zone = \"Europe/Berlin\")]" }
        }
    }
}
