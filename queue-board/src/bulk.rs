//! Changes to many jobs: prepared with their number, then started, and stopped on request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use maud::{Markup, html};
use queue_core::admin::{Change, Filter};
use queue_core::{JobId, Timestamp};
use serde::Serialize;

use crate::error::BoardError;
use crate::frame::Frame;
use crate::site::Site;
use crate::text::number::{grouped, of};
use crate::text::time::{measured, now};

/// How many jobs are changed in one step.
const STEP: usize = 250;

/// How many changes the board remembers.
const KEPT: usize = 32;

/// The changes that this process has prepared or made, the newest last.
#[derive(Debug, Default)]
pub(crate) struct Changes(Mutex<Vec<Arc<BulkChange>>>);

/// A change to the jobs that matched a filter when it was prepared.
#[derive(Debug)]
pub(crate) struct BulkChange {
    id: JobId,
    action: &'static str,
    change: Change,
    filter: Filter,
    /// The jobs, in words.
    target: String,
    /// The path of their list.
    list: String,
    jobs: Vec<JobId>,
    status: Mutex<ChangeStatus>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
enum ChangePhase {
    Prepared,
    Running,
    Stopping,
    Stopped,
    Done,
    Failed { error: String },
}

#[derive(Clone, Debug, Serialize)]
struct ChangeStatus {
    #[serde(flatten)]
    phase: ChangePhase,
    /// The number of jobs that were visited.
    visited: u64,
    /// The number of jobs that were changed.
    changed: u64,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

/// How far a change is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ChangeProgress {
    id: JobId,
    action: &'static str,
    target: String,
    #[serde(skip)]
    list: String,
    jobs: u64,
    #[serde(flatten)]
    status: ChangeStatus,
}

impl Changes {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<BulkChange>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores a change to `jobs`, which have just matched. If there are too many changes, drops the oldest that does not run.
    pub(crate) fn prepare(
        &self,
        action: (&'static str, Change),
        filter: Filter,
        (target, list): (String, String),
        jobs: Vec<JobId>,
    ) -> JobId {
        let id = JobId::random();
        let status = ChangeStatus {
            phase: ChangePhase::Prepared,
            visited: 0,
            changed: 0,
            started_at: None,
            ended_at: None,
        };
        let (action, change) = action;
        let status = Mutex::new(status);
        let mut changes = self.lock();
        changes.push(Arc::new(BulkChange { id, action, change, filter, target, list, jobs, status }));
        if changes.len() > KEPT
            && let Some(oldest) = changes.iter().position(|change| !change.is_running())
        {
            changes.remove(oldest);
        }
        id
    }

    pub(crate) fn find(&self, id: JobId) -> Result<Arc<BulkChange>, BoardError> {
        let found = self.lock().iter().find(|change| change.id == id).cloned();
        found.ok_or_else(|| {
            BoardError::NotFound(
                "This process has no such change: it was prepared long ago, or by another process."
                    .to_owned(),
            )
        })
    }
}

impl BulkChange {
    fn status(&self) -> MutexGuard<'_, ChangeStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_running(&self) -> bool {
        matches!(self.status().phase, ChangePhase::Running | ChangePhase::Stopping)
    }

    pub(crate) fn progress(&self) -> ChangeProgress {
        let status = self.status().clone();
        let Self { id, action, target, list, jobs, .. } = self;
        ChangeProgress {
            id: *id,
            action,
            target: target.clone(),
            list: list.clone(),
            jobs: jobs.len() as u64,
            status,
        }
    }

    /// Starts a prepared change in a task of its own. Does nothing if it has started.
    pub(crate) fn start(self: Arc<Self>, site: Arc<Site>, operator: String) {
        let mut status = self.status();
        if status.phase != ChangePhase::Prepared {
            return;
        }
        status.phase = ChangePhase::Running;
        status.started_at = Some(now());
        drop(status);
        tokio::spawn(async move { self.run(&site, &operator).await });
    }

    /// Ends a running change after its current step. A prepared change can no longer start.
    pub(crate) fn stop(&self) {
        let mut status = self.status();
        status.phase = match status.phase {
            ChangePhase::Running => ChangePhase::Stopping,
            ChangePhase::Prepared => ChangePhase::Stopped,
            _ => return,
        };
    }

    async fn run(&self, site: &Site, operator: &str) {
        let mut phase = ChangePhase::Done;
        for step in self.jobs.chunks(STEP) {
            if self.status().phase == ChangePhase::Stopping {
                phase = ChangePhase::Stopped;
                break;
            }
            match site.queue.change(step, &self.filter, &self.change).await {
                Ok(changed) => {
                    let mut status = self.status();
                    status.changed += changed;
                    status.visited += step.len() as u64;
                }
                Err(error) => {
                    phase = ChangePhase::Failed { error: error.to_string() };
                    break;
                }
            }
        }
        let changed = {
            let mut status = self.status();
            status.phase = phase;
            status.ended_at = Some(now());
            status.changed
        };
        site.report(operator, self.action, self.target.as_str(), changed);
    }
}

impl ChangeProgress {
    pub(crate) fn title(&self) -> String {
        format!("{} {}", capital(self.action), of(self.jobs, "job"))
    }

    pub(crate) fn render(&self, frame: &Frame) -> Markup {
        let path = |action: &str| format!("/changes/{}/{action}", self.id);
        let status = &self.status;
        html! {
            section.narrow #change {
                h1 { (self.title()) @if status.phase == ChangePhase::Prepared { "?" } }
                p.lead { "These are the " (self.target) " at the time of your request. Jobs that begin to match later are left as they are." }
                @match &status.phase {
                    ChangePhase::Prepared => {
                        @if self.jobs == 0 { p.alert { "No job matches." } }
                    }
                    _ => {
                        progress max=(self.jobs.max(1)) value=(status.visited) {}
                        p #changed { (self.sentence()) }
                    }
                }
                @if let ChangePhase::Failed { error } = &status.phase { p.alert role="alert" { (error) } }
                div.actions {
                    @match status.phase {
                        ChangePhase::Prepared => {
                            @if self.jobs > 0 {
                                (frame.button(&path("start"), &self.title(), self.class()))
                            }
                            a.button href=(frame.to(&self.list)) { "Back" }
                        }
                        ChangePhase::Running => (frame.button(&path("stop"), "Stop", "danger")),
                        ChangePhase::Stopping => { button disabled { "Stopping" } }
                        _ => a.button href=(frame.to(&self.list)) { "Back to the jobs" },
                    }
                }
            }
            @if self.is_running() { noscript { p.note { "Reload the page to see the progress." } } }
        }
    }

    fn is_running(&self) -> bool {
        matches!(self.status.phase, ChangePhase::Running | ChangePhase::Stopping)
    }

    fn class(&self) -> &'static str {
        if self.action == "retry" { "primary" } else { "danger" }
    }

    fn sentence(&self) -> String {
        let ChangeStatus { phase, visited, changed, started_at, ended_at } = &self.status;
        let took =
            started_at.zip(*ended_at).map(|(start, end)| format!(" in {}", measured(end.since(start))));
        let verb = match self.action {
            "retry" => "retried",
            "cancel" => "cancelled",
            _ => "deleted",
        };
        let left = visited - changed;
        let but =
            if left > 0 { format!(" {} no longer allowed it.", of(left, "job")) } else { String::new() };
        let phase = match phase {
            ChangePhase::Stopped => " Stopped.",
            ChangePhase::Stopping => " Stopping.",
            _ => "",
        };
        let took = took.unwrap_or_default();
        format!("{} of {} {verb}{took}.{phase}{but}", grouped(*changed), of(self.jobs, "job"))
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
