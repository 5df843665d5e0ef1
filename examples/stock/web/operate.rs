//! The operator's buttons: retries a discarded job, cancels a waiting one.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use queue_core::admin::Cancellation;
use queue_core::{Admin, JobId, JobRecord, QueueError, QueueErrorKind};

use super::error::WebError;
use super::page::{Refusal, page};
use super::snapshot::{JobView, Snapshot};
use crate::shop::Shop;

/// Returns a discarded job to the available state, and redirects to the page.
pub(super) async fn retry(State(shop): State<Shop>, Path(id): Path<JobId>) -> Result<Response, WebError> {
    let Some((queue, job)) = find(&shop, id).await? else { return refuse(&shop, missing(id)).await };
    if !JobView::from(&job).can_be_retried() {
        let alert = format!("The job is {} now: only discarded jobs are retried.", job.state);
        return refuse(&shop, (StatusCode::CONFLICT, alert)).await;
    }
    match queue.retry(id).await {
        Ok(()) => Ok(Redirect::to("/").into_response()),
        Err(error) => refuse(&shop, refusal_of(error)?).await,
    }
}

/// Cancels a waiting job, or asks one that was claimed meanwhile to stop, and redirects to the page.
pub(super) async fn cancel(State(shop): State<Shop>, Path(id): Path<JobId>) -> Result<Response, WebError> {
    let Some((queue, job)) = find(&shop, id).await? else { return refuse(&shop, missing(id)).await };
    match queue.cancel(id, "cancelled on the page").await {
        Ok(Cancellation::Finished) => {
            let alert = format!("The job is {} now: there is nothing to cancel.", job.state);
            refuse(&shop, (StatusCode::CONFLICT, alert)).await
        }
        Ok(_) => Ok(Redirect::to("/").into_response()),
        Err(error) => refuse(&shop, refusal_of(error)?).await,
    }
}

/// Returns a job and the queue that it is in.
async fn find(shop: &Shop, id: JobId) -> Result<Option<(&dyn Admin, JobRecord)>, QueueError> {
    for queue in [&*shop.queues.jobs, &shop.queues.closures as &dyn Admin] {
        if let Some(job) = queue.get(id).await? {
            return Ok(Some((queue, job)));
        }
    }
    Ok(None)
}

fn missing(id: JobId) -> (StatusCode, String) {
    (StatusCode::NOT_FOUND, format!("There is no job {id}: it may have been deleted meanwhile."))
}

/// Returns the answer to an error that the operator can do something about.
fn refusal_of(error: QueueError) -> Result<(StatusCode, String), QueueError> {
    match error.kind() {
        QueueErrorKind::Conflict => Ok((StatusCode::CONFLICT, error.to_string())),
        QueueErrorKind::NotFound => Ok((StatusCode::NOT_FOUND, error.to_string())),
        _ => Err(error),
    }
}

/// Shows the page with the reason why the button had no effect.
async fn refuse(shop: &Shop, (status, alert): (StatusCode, String)) -> Result<Response, WebError> {
    let refusal = Refusal { alert: Some(alert), ..Refusal::default() };
    Ok((status, page(&Snapshot::take(shop).await?, &refusal)).into_response())
}
