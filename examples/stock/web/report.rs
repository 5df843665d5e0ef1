//! The newest report.

use std::path::PathBuf;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::report::Reports;

pub(super) fn router(reports: Reports) -> Router {
    Router::new()
        .route(
            "/report.csv",
            get(async |State(reports): State<Reports>| file(reports.table(), "text/csv").await),
        )
        .route(
            "/report.svg",
            get(async |State(reports): State<Reports>| file(reports.chart(), "image/svg+xml").await),
        )
        .with_state(reports)
}

async fn file(path: PathBuf, content_type: &'static str) -> Response {
    match tokio::fs::read(path).await {
        Ok(content) => ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache")], content).into_response(),
        Err(_) => (StatusCode::NOT_FOUND, "there is no report yet: add a product\n").into_response(),
    }
}
