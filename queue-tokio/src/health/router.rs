//! The health endpoint.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use super::Health;

impl Health {
    /// Returns an axum router with the route `/health`: 200 while the host is ready, otherwise 503. The text is the status.
    ///
    /// It answers from the start to the end of the stop, for load balancers and Kubernetes. Needs the feature `axum`.
    pub fn router(&self) -> Router {
        let health = self.clone();
        Router::new().route("/health", get(move || async move { answer(&health) }))
    }
}

fn answer(health: &Health) -> (StatusCode, String) {
    let status = health.status();
    (if status.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, status.to_string())
}
