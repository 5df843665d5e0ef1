//! The catalogue over HTTP.

mod intake;
mod page;
mod refusal;
mod report;
mod snapshot;

use axum::Router;
use axum::extract::State;
use axum::response::{Html, Json};
use axum::routing::{get, post};

use crate::report::Reports;
use crate::shop::Shop;

use page::Page;
use refusal::Refusal;
use snapshot::Snapshot;

/// Routes requests: the page at `/`, its content as JSON at `/state`, new products to `/products`, the newest report.
pub fn router(shop: Shop, reports: Reports) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/state", get(state))
        .route("/products", post(intake::add))
        .with_state(shop)
        .merge(report::router(reports))
}

async fn page(State(shop): State<Shop>) -> Result<Html<String>, Refusal> {
    Ok(Html(Page(&Snapshot::take(&shop).await?).to_string()))
}

async fn state(State(shop): State<Shop>) -> Result<Json<Snapshot>, Refusal> {
    Ok(Json(Snapshot::take(&shop).await?))
}
