//! The catalogue over HTTP.

pub mod board;
mod create_product;
mod error;
mod new_product;
mod operate;
mod origin;
mod page;
mod report;
mod snapshot;

use axum::Router;
use axum::extract::State;
use axum::middleware;
use axum::response::Json;
use axum::routing::{get, post};
use maud::Markup;

use crate::report::Reports;
use crate::shop::Shop;

use error::WebError;
use page::Refusal;
use snapshot::Snapshot;

/// Creates the routes: the page at `/` with its form and buttons, its content as JSON at `/state`, new products as JSON at
/// `/products`, the newest report.
pub fn router(shop: Shop, reports: Reports) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/state", get(state))
        .route("/products", post(create_product::create_product))
        .route("/products/new", post(new_product::new_product))
        .route("/jobs/{id}/retry", post(operate::retry))
        .route("/jobs/{id}/cancel", post(operate::cancel))
        .with_state(shop)
        .merge(report::router(reports))
        .layer(middleware::from_fn(origin::own_origin))
}

async fn page(State(shop): State<Shop>) -> Result<Markup, WebError> {
    Ok(page::page(&Snapshot::take(&shop).await?, &Refusal::default()))
}

async fn state(State(shop): State<Shop>) -> Result<Json<Snapshot>, WebError> {
    Ok(Json(Snapshot::take(&shop).await?))
}
