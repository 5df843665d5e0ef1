//! A supplier for trying out the catalogue, as unreliable as a real one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::put;

use super::Known;

/// Fails one of `FAILS_EVERY` requests with `503 Service Unavailable`, and answers all others.
pub fn router() -> Router {
    Router::new().route("/products/{sku}", put(accept)).with_state(Arc::default())
}

/// One of this many requests fails.
const FAILS_EVERY: u64 = 3;

async fn accept(State(requests): State<Arc<AtomicU64>>, Path(sku): Path<String>) -> Response {
    let request = requests.fetch_add(1, Ordering::Relaxed) + 1;
    if request.is_multiple_of(FAILS_EVERY) {
        return (StatusCode::SERVICE_UNAVAILABLE, "out for lunch").into_response();
    }
    Json(Known { reference: format!("supplier-{}", sku.to_lowercase()) }).into_response()
}
