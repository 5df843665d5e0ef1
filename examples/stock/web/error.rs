//! The error responses.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use queue_core::QueueError;
use queue_core::backend::error_chain;
use serde_json::json;

use crate::database::DatabaseError;
use crate::product::InvalidProduct;
use crate::shop::AddError;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum WebError {
    /// The body is not JSON, or not that of a product.
    #[error("the body is not the JSON of a product")]
    Malformed { field: Option<String>, source: serde_json::Error },
    /// The product is not valid.
    #[error("the product is not valid")]
    Invalid(#[from] InvalidProduct),
    /// The product was not added.
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
                // The cause is logged for the operator, and not sent to the client.
                tracing::error!(error = error_chain(&self), "a request failed");
                (StatusCode::SERVICE_UNAVAILABLE, json!({ "error": "internal error: try again in a moment" }))
            }
        };
        (status, Json(answer)).into_response()
    }
}

/// Returns the problem of the JSON: the location, the kind and the expected type, without the value.
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
