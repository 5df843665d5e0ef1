//! The answers to GET requests: each page as HTML, as JSON, or as a stream of updates.

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Redirect, Response};
use queue_core::JobId;
use serde::Serialize;

use crate::error::BoardError;
use crate::fields::FormFields;
use crate::form::Form;
use crate::page::job::test_file;
use crate::page::schedules::SchedulesQuery;
use crate::query::JobsQuery;
use crate::view::View;
use crate::visit::Visit;

async fn show(visit: Visit, view: Result<View, BoardError>) -> Response {
    let Visit { site, changes, live, frame, form } = &visit;
    let view = match view {
        Ok(view) if *form == Form::Events => return live.updates(frame.clone(), view).into_response(),
        Ok(view) => view,
        Err(error) => return visit.refuse(error),
    };
    let page = async { view.read(site, changes, &site.glance().await?).await };
    match (page.await, form) {
        (Ok(page), Form::Html) => page.document(frame).into_response(),
        (Ok(page), _) => json(&page),
        (Err(error), _) => visit.refuse(error),
    }
}

/// Answers with JSON.
pub(crate) fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the board could not write a page as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

pub(crate) async fn now(visit: Visit) -> Response {
    show(visit, Ok(View::Now)).await
}

pub(crate) async fn workers(visit: Visit) -> Response {
    show(visit, Ok(View::Workers)).await
}

pub(crate) async fn names(visit: Visit) -> Response {
    show(visit, Ok(View::Names)).await
}

pub(crate) async fn limits(visit: Visit) -> Response {
    show(visit, Ok(View::Limits)).await
}

pub(crate) async fn schedules(visit: Visit, Query(pairs): Query<FormFields>) -> Response {
    show(visit, SchedulesQuery::new(&pairs).map(View::Schedules)).await
}

pub(crate) async fn enqueue(visit: Visit) -> Response {
    show(visit, Ok(View::Enqueue)).await
}

/// Shows the jobs of a filter. If the address has empty fields, as that of a submitted form has, redirects to the one without them.
pub(crate) async fn jobs(visit: Visit, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    let has_empty = pairs.iter().any(|(_, value)| value.trim().is_empty());
    match JobsQuery::new(pairs) {
        Ok(query) if has_empty && visit.form == Form::Html => {
            Redirect::to(&visit.frame.to(&query.path())).into_response()
        }
        query => show(visit, query.map(|query| View::Jobs(Box::new(query)))).await,
    }
}

pub(crate) async fn job(visit: Visit, Path(id): Path<String>) -> Response {
    show(visit, id_of(&id).map(View::Job)).await
}

pub(crate) async fn change(visit: Visit, Path(id): Path<String>) -> Response {
    show(visit, id_of(&id).map(View::Change)).await
}

/// Answers with a Rust test that replays the job.
pub(crate) async fn test(visit: Visit, Path(id): Path<String>) -> Response {
    let text = async { test_file::of(&visit.site, id_of(&id)?).await };
    match text.await {
        Ok((name, text)) => {
            let disposition = format!("inline; filename=\"{name}\"");
            let content_type = "text/plain; charset=utf-8".to_owned();
            ([(CONTENT_TYPE, content_type), (CONTENT_DISPOSITION, disposition)], text).into_response()
        }
        Err(error) => visit.refuse(error),
    }
}

/// Answers for any other address.
pub(crate) async fn missing(visit: Visit) -> Response {
    visit.refuse(BoardError::NotFound("The board has no such page.".to_owned()))
}

/// Reads an id from an address.
pub(crate) fn id_of(text: &str) -> Result<JobId, BoardError> {
    text.parse().map_err(|_| BoardError::NotFound(format!("`{text}` is not the id of a job.")))
}
