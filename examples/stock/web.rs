//! The catalogue over HTTP.

mod create_product;
mod error;
mod page;
mod report;
mod snapshot;

use axum::Router;
use axum::extract::State;
use axum::response::{Html, Json};
use axum::routing::{get, post};

use crate::report::Reports;
use crate::shop::Shop;

use error::WebError;
use page::Page;
use snapshot::Snapshot;

/// Creates the routes: the page at `/`, its content as JSON at `/state`, new products at `/products`, the newest report.
pub fn router(shop: Shop, reports: Reports) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/state", get(state))
        .route("/products", post(create_product::create_product))
        .with_state(shop)
        .merge(report::router(reports))
}

async fn page(State(shop): State<Shop>) -> Result<Html<String>, WebError> {
    Ok(Html(Page(&Snapshot::take(&shop).await?).to_string()))
}

async fn state(State(shop): State<Shop>) -> Result<Json<Snapshot>, WebError> {
    Ok(Json(Snapshot::take(&shop).await?))
}
