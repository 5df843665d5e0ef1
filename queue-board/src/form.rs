//! The form of an answer: a page, JSON, or updates.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Html,
    Json,
    Events,
}

impl Form {
    /// Returns the form that a request accepts: the first of its `Accept` that the board has, and HTML otherwise.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let accepted = headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
        let known = accepted.split(',').find_map(|kind| match kind.split(';').next().map(str::trim) {
            Some("text/html") => Some(Self::Html),
            Some("application/json") => Some(Self::Json),
            Some("text/event-stream") => Some(Self::Events),
            _ => None,
        });
        known.unwrap_or(Self::Html)
    }
}
