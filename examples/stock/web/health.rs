//! The health of the program at `/health`, for load balancers and Kubernetes.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use queue_tokio::Health;

/// Creates the route: 200 while the program is ready, otherwise 503; the text is the status.
pub fn router(health: Health) -> Router {
    Router::new().route("/health", get(move || async move { answer(&health) }))
}

fn answer(health: &Health) -> (StatusCode, String) {
    let status = health.status();
    (if status.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, status.to_string())
}
