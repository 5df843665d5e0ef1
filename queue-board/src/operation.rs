//! Answers POST requests: the changes of operators.

use axum::extract::{Form as FormOf, Path};
use axum::response::{IntoResponse as _, Redirect, Response};
use queue_core::admin::{Cancellation, Change, Filter, LimitRecord};
use queue_core::{JobId, LimitScope, QueueName, Receipt};
use queue_schedules::Schedules;
use serde_json::json;

use crate::answer::{id_of, json as answer_json};
use crate::error::BoardError;
use crate::fields::{FormFields, field};
use crate::form::Form;
use crate::page::enqueue::NewJobForm;
use crate::page::job::copy;
use crate::page::schedules::SchedulesQuery;
use crate::query::JobsQuery;
use crate::site::Site;
use crate::visit::Visit;

/// The path to which a reader is sent after a change, and the number of changed jobs or queues.
struct Done {
    path: String,
    changed: u64,
}

fn answer(visit: &Visit, done: Result<Done, BoardError>) -> Response {
    match (done, visit.form) {
        (Ok(done), Form::Html) => Redirect::to(&visit.frame.to(&done.path)).into_response(),
        (Ok(done), _) => answer_json(&json!({ "changed": done.changed, "at": visit.frame.to(&done.path) })),
        (Err(error), _) => visit.refuse(error),
    }
}

/// Changes one job: `retry`, `cancel`, `delete` or `copy`.
pub(crate) async fn one(
    visit: Visit,
    Path((id, action)): Path<(String, String)>,
    FormOf(fields): FormOf<FormFields>,
) -> Response {
    let change = async {
        let id = id_of(&id)?;
        let who = visit.operator();
        let path = match action.as_str() {
            "retry" => {
                visit.site.queue.retry(id).await?;
                format!("/jobs/{id}")
            }
            "cancel" => {
                let reason = reason(who);
                if visit.site.queue.cancel(id, &reason).await? == Cancellation::Finished {
                    return Err(BoardError::Conflict(
                        "The job has finished already: there is nothing to cancel.".to_owned(),
                    ));
                }
                format!("/jobs/{id}")
            }
            "delete" => {
                visit.site.queue.delete(id).await?;
                "/jobs".to_owned()
            }
            "copy" => format!("/jobs/{}", copy::push(&visit.site, id, &fields).await?),
            _ => return Err(unknown_action()),
        };
        visit.site.report(who, &action, format!("job {id}"), 1);
        Ok(Done { path, changed: 1 })
    };
    answer(&visit, change.await)
}

/// Changes the selected jobs of a list, and returns to it.
pub(crate) async fn selection(
    visit: Visit,
    Path(action): Path<String>,
    FormOf(fields): FormOf<FormFields>,
) -> Response {
    let change = async {
        let ids = fields.iter().filter(|(name, _)| name == "id").map(|(_, id)| id_of(id));
        let ids: Vec<JobId> = ids.collect::<Result<_, _>>()?;
        if ids.is_empty() {
            return Err(BoardError::Invalid(
                "No job is selected: tick the boxes of the jobs first.".to_owned(),
            ));
        }
        let who = visit.operator();
        let (action, change) = change_of(&action, who)?;
        let changed = visit.site.queue.change(&ids, &Filter::all(), &change).await?;
        visit.site.report(who, action, format!("{} selected jobs", ids.len()), changed);
        let list: FormFields = serde_urlencoded::from_str(field(&fields, "list")).unwrap_or_default();
        Ok(Done { path: JobsQuery::new(list)?.path(), changed })
    };
    answer(&visit, change.await)
}

/// Pauses or resumes a queue, or changes one of its limits, and returns to the page of a job or to the overview.
pub(crate) async fn queue(
    visit: Visit,
    Path((queue, action)): Path<(String, String)>,
    FormOf(fields): FormOf<FormFields>,
) -> Response {
    let change = async {
        let name = QueueName::from(queue.as_str());
        match action.as_str() {
            "pause" => visit.site.queue.pause(&name).await?,
            "resume" => visit.site.queue.resume(&name).await?,
            "set_limit" => set_limit(&visit.site, &name, &fields).await?,
            "unset_limit" => visit.site.queue.set_limit(&name, &scope_of(&fields)?, None).await?,
            _ => return Err(unknown_action()),
        }
        visit.site.report(visit.operator(), &action, format!("queue `{name}`"), 1);
        let path = match field(&fields, "job") {
            "" if action.ends_with("limit") => format!("/limits#limits-{name}"),
            "" => "/".to_owned(),
            id => format!("/jobs/{}", id_of(id)?),
        };
        Ok(Done { path, changed: 1 })
    };
    answer(&visit, change.await)
}

/// Sets how many jobs of a queue or partition run at once. What else its limit says stays.
async fn set_limit(site: &Site, queue: &QueueName, fields: &FormFields) -> Result<(), BoardError> {
    let scope = scope_of(fields)?;
    let running = field(fields, "running").parse::<u32>();
    let running = running
        .map_err(|_| BoardError::Invalid("The number of jobs must be from 0 to 4,294,967,295.".to_owned()))?;
    let limits = site.queue.limits(queue).await?;
    let own = limits.iter().find(|record| record.scope == scope).and_then(LimitRecord::in_force);
    let limit = own.unwrap_or_default().and_running(running);
    site.queue.set_limit(queue, &scope, Some(limit)).await?;
    Ok(())
}

/// Reads the part of a queue whose limit is changed.
fn scope_of(fields: &FormFields) -> Result<LimitScope, BoardError> {
    match field(fields, "scope") {
        "total" => Ok(LimitScope::Total),
        "each" => Ok(LimitScope::Each),
        "partition" => Ok(LimitScope::One(field(fields, "partition").into())),
        other => Err(BoardError::Invalid(format!("`{other}` is no scope: use total, each or partition."))),
    }
}

/// Changes a schedule, and returns to its group; `trigger` goes to the job.
pub(crate) async fn schedule(
    visit: Visit,
    Path(action): Path<String>,
    FormOf(fields): FormOf<FormFields>,
) -> Response {
    let change = async {
        let (group, name) = (field(&fields, "group"), field(&fields, "name"));
        let schedules = Schedules::new(group, visit.site.queue.clone());
        let path = match action.as_str() {
            "pause" => schedules.pause(name).await.map(|()| SchedulesQuery::of(group, None).path())?,
            "resume" => schedules.resume(name).await.map(|()| SchedulesQuery::of(group, None).path())?,
            "trigger" => match schedules.trigger(name).await? {
                Receipt::Existing(id) => {
                    return Err(BoardError::Conflict(format!(
                        "Nothing is enqueued: job {id} of the schedule is unfinished, and another one may not overlap it."
                    )));
                }
                receipt => format!("/jobs/{}", receipt.id()),
            },
            _ => return Err(unknown_action()),
        };
        visit.site.report(visit.operator(), &action, format!("schedule `{group}/{name}`"), 1);
        Ok(Done { path, changed: 1 })
    };
    answer(&visit, change.await)
}

/// Finds the jobs that match now, and shows their number. Nothing is changed yet.
pub(crate) async fn prepare(visit: Visit, FormOf(fields): FormOf<FormFields>) -> Response {
    let prepared = async {
        let action = change_of(field(&fields, "action"), visit.operator())?;
        let query = JobsQuery::new(fields)?.for_action(action.0)?;
        let jobs = visit.site.queue.matching(query.filter()).await?;
        let words = (query.description(), query.path());
        let id = visit.changes.prepare(action, query.filter().clone(), words, jobs);
        Ok(Done { path: format!("/changes/{id}"), changed: 0 })
    };
    answer(&visit, prepared.await)
}

/// Starts a prepared change.
pub(crate) async fn start(visit: Visit, Path(id): Path<String>) -> Response {
    let started = id_of(&id).and_then(|id| visit.changes.find(id)).map(|change| {
        change.start(visit.site.clone(), visit.operator().to_owned());
        Done { path: format!("/changes/{id}"), changed: 0 }
    });
    answer(&visit, started)
}

/// Stops a change after its current step.
pub(crate) async fn stop(visit: Visit, Path(id): Path<String>) -> Response {
    let stopped = id_of(&id).and_then(|id| visit.changes.find(id)).map(|change| {
        change.stop();
        Done { path: format!("/changes/{id}"), changed: 0 }
    });
    answer(&visit, stopped)
}

/// Enqueues a job by its name.
pub(crate) async fn enqueue(visit: Visit, FormOf(fields): FormOf<FormFields>) -> Response {
    let enqueued = async {
        let id = NewJobForm(&fields).push(&visit.site).await?;
        visit.site.report(visit.operator(), "enqueue", format!("job {id}"), 1);
        Ok(Done { path: format!("/jobs/{id}"), changed: 1 })
    };
    answer(&visit, enqueued.await)
}

fn change_of(action: &str, operator: &str) -> Result<(&'static str, Change), BoardError> {
    match action {
        "retry" => Ok(("retry", Change::Retry)),
        "cancel" => Ok(("cancel", Change::Cancel { reason: reason(operator) })),
        "delete" => Ok(("delete", Change::Delete)),
        _ => Err(unknown_action()),
    }
}

fn reason(operator: &str) -> String {
    format!("cancelled on the board by {operator}")
}

fn unknown_action() -> BoardError {
    BoardError::NotFound("The board has no such action.".to_owned())
}
