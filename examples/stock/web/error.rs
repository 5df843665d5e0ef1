//! The answers to requests that can't be met.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use queue_core::QueueError;
use queue_core::error::chain;
use serde_json::json;

use crate::database::DatabaseError;
use crate::product::InvalidProduct;
use crate::shop::AddError;

/// Why a request can't be met.
#[derive(Debug, thiserror::Error)]
pub(super) enum WebError {
    /// It is no JSON, or not that of a product.
    #[error("the body is not the JSON of a product")]
    Malformed { field: Option<String>, source: serde_json::Error },
    /// The product is none.
    #[error("the product is not valid")]
    Invalid(#[from] InvalidProduct),
    /// It was not added.
    #[error(transparent)]
    NotAdded(#[from] AddError),
    /// The catalogue failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        let error = self.to_string();
        let (status, answer) = match &self {
            Self::Malformed { field, source } => (
                StatusCode::BAD_REQUEST,
                json!({
                    "error": error,
                    "field": field,
                    "problem": problem(source),
                    "line": source.line(),
                    "column": source.column(),
                }),
            ),
            Self::Invalid(fields) => {
                (StatusCode::UNPROCESSABLE_ENTITY, json!({ "error": error, "fields": fields }))
            }
            Self::NotAdded(AddError::Duplicate { .. }) => {
                (StatusCode::CONFLICT, json!({ "error": error, "field": "sku" }))
            }
            Self::NotAdded(AddError::Database(_) | AddError::Queue(_))
            | Self::Database(_)
            | Self::Queue(_) => {
                // The cause is the operator's to know.
                tracing::error!(error = chain(&self), "a request failed");
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    json!({ "error": "this failed here; try again in a moment" }),
                )
            }
        };
        (status, Json(answer)).into_response()
    }
}

/// Returns what is wrong with the JSON: where, of which kind, and what was expected, without the value.
fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // As in `invalid type: string "…", expected i64 at line 1 column 9`.
    match (text.find(['"', '`']), text.rfind(", expected ")) {
        (Some(value), Some(expected)) if text.starts_with("invalid ") && value < expected => {
            let (kind, expected) = (text.get(..value), text.get(expected..));
            format!("{}{}", kind.unwrap_or_default().trim_end(), expected.unwrap_or_default())
        }
        _ => text,
    }
}
