//! The addresses of the board, and the pages behind them.

use maud::Markup;
use queue_core::JobId;
use serde::Serialize;

use crate::bulk::{ChangeProgress, Changes};
use crate::error::BoardError;
use crate::frame::{Frame, Tab};
use crate::page::enqueue::EnqueuePage;
use crate::page::job::JobDetail;
use crate::page::jobs::JobList;
use crate::page::limits::LimitList;
use crate::page::names::NameList;
use crate::page::overview::Overview;
use crate::page::schedules::{ScheduleList, SchedulesQuery};
use crate::page::workers::WorkerList;
use crate::query::JobsQuery;
use crate::site::{Glance, Site};

/// An address of the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Now,
    Jobs(Box<JobsQuery>),
    Job(JobId),
    Workers,
    Names,
    Limits,
    Schedules(SchedulesQuery),
    Change(JobId),
    Enqueue,
}

/// The content of a page: what it shows, and its JSON.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Page {
    Now(Overview),
    Jobs(Box<JobList>),
    Job(Box<JobDetail>),
    Workers(WorkerList),
    Names(NameList),
    Limits(LimitList),
    Schedules(ScheduleList),
    Change(ChangeProgress),
    Enqueue(EnqueuePage),
}

impl View {
    /// Reads the page from the store.
    pub(crate) async fn read(
        &self,
        site: &Site,
        changes: &Changes,
        glance: &Glance,
    ) -> Result<Page, BoardError> {
        Ok(match self {
            Self::Now => Page::Now(Overview::read(site, glance).await?),
            Self::Jobs(query) => Page::Jobs(Box::new(JobList::read(site, glance, query).await?)),
            Self::Job(id) => Page::Job(Box::new(JobDetail::read(site, glance, *id).await?)),
            Self::Workers => Page::Workers(WorkerList::read(site, glance).await?),
            Self::Names => Page::Names(NameList::read(site, glance).await?),
            Self::Limits => Page::Limits(LimitList::read(site, glance).await?),
            Self::Schedules(query) => Page::Schedules(ScheduleList::read(site, glance, query).await?),
            Self::Change(id) => Page::Change(changes.find(*id)?.progress()),
            Self::Enqueue => Page::Enqueue(EnqueuePage::new(site, glance)),
        })
    }
}

impl Page {
    /// Renders the content.
    pub(crate) fn main(&self, frame: &Frame) -> Markup {
        match self {
            Self::Now(page) => page.render(frame),
            Self::Jobs(page) => page.render(frame),
            Self::Job(page) => page.render(frame),
            Self::Workers(page) => page.render(frame),
            Self::Names(page) => page.render(frame),
            Self::Limits(page) => page.render(frame),
            Self::Schedules(page) => page.render(frame),
            Self::Change(page) => page.render(frame),
            Self::Enqueue(page) => page.render(frame),
        }
    }

    /// Renders the whole page.
    pub(crate) fn document(&self, frame: &Frame) -> Markup {
        let is_live = !matches!(self, Self::Enqueue(_));
        frame.document(self.tab(), &self.title(), &self.main(frame), is_live)
    }

    pub(crate) fn title(&self) -> String {
        match self {
            Self::Now(_) => "Queues".to_owned(),
            Self::Jobs(_) => "Jobs".to_owned(),
            Self::Job(page) => page.title(),
            Self::Workers(_) => "Workers".to_owned(),
            Self::Names(_) => "Names".to_owned(),
            Self::Limits(_) => "Limits".to_owned(),
            Self::Schedules(_) => "Schedules".to_owned(),
            Self::Change(page) => page.title(),
            Self::Enqueue(_) => "Enqueue".to_owned(),
        }
    }

    const fn tab(&self) -> Tab {
        match self {
            Self::Now(_) => Tab::Now,
            Self::Jobs(_) | Self::Job(_) | Self::Change(_) => Tab::Jobs,
            Self::Workers(_) => Tab::Workers,
            Self::Names(_) => Tab::Names,
            Self::Limits(_) => Tab::Limits,
            Self::Schedules(_) => Tab::Schedules,
            Self::Enqueue(_) => Tab::Enqueue,
        }
    }
}
