//! The operators' board at `/queue`.

use std::sync::Arc;

use axum::Router;
use axum::http::header::HOST;
use axum::http::request::Parts;
use queue_board::{Access, Board, show_all};
use queue_core::{Admin, CancellationToken};

use crate::jobs;

/// Creates the routes. The updates of open pages end when `stopping` fires.
pub fn router(queue: Arc<dyn Admin>, stopping: CancellationToken) -> Router {
    let board = Board::new(queue).access(access).payloads(show_all).jobs(jobs::all()).until(stopping);
    Router::new().nest_service("/queue", board.router())
}

/// Admits the user of this machine, on which alone the server listens. A page elsewhere whose name points to this machine has
/// another host.
fn access(request: &Parts) -> Access {
    let host = request.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    match host.split(':').next() {
        Some("localhost" | "127.0.0.1") => Access::act("you"),
        _ => Access::Forbidden,
    }
}
