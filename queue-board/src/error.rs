//! The reasons for which the board refuses a request.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use maud::html;
use queue_core::backend::error_chain;
use queue_core::{QueueError, QueueErrorKind};
use serde_json::json;

use crate::form::Form;
use crate::frame::{Frame, Tab};

/// The reason of a refused request.
#[derive(Debug)]
pub(crate) enum BoardError {
    /// The request has not the access that it needs.
    Forbidden(&'static str),
    /// There is no such page.
    NotFound(String),
    /// The request is wrong.
    Invalid(String),
    /// The state of the job or the change does not allow the request.
    Conflict(String),
    /// The queue failed.
    Queue(QueueError),
}

impl From<QueueError> for BoardError {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
    }
}

impl BoardError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Queue(error) => match error.kind() {
                QueueErrorKind::Invalid => StatusCode::BAD_REQUEST,
                QueueErrorKind::NotFound => StatusCode::NOT_FOUND,
                QueueErrorKind::Conflict => StatusCode::CONFLICT,
                QueueErrorKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            },
        }
    }

    /// Returns the sentence for the operator. Its causes go to the log only, since they may name hosts and files.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Forbidden(text) => (*text).to_owned(),
            Self::NotFound(text) | Self::Invalid(text) | Self::Conflict(text) => text.clone(),
            Self::Queue(error) => error.to_string(),
        }
    }

    /// Returns the answer, in the form that the request accepts.
    pub(crate) fn answer(self, frame: &Frame, form: Form) -> Response {
        if let Self::Queue(error) = &self
            && self.status().is_server_error()
        {
            tracing::warn!(error = error_chain(error), "the board could not read or change the queue");
        }
        let (status, sentence) = (self.status(), self.sentence());
        match form {
            Form::Html if matches!(self, Self::Forbidden(_)) && frame.operator.is_none() => {
                (status, format!("{sentence}\n")).into_response()
            }
            Form::Html => {
                let main = html! {
                    h1 { (status.canonical_reason().unwrap_or("Error")) }
                    p.alert role="alert" { (sentence) }
                    p { a href=(frame.to("/")) { "Back to the queues" } }
                };
                (status, frame.document(Tab::None, "Error", &main, false)).into_response()
            }
            Form::Json | Form::Events => {
                (status, [(CONTENT_TYPE, "application/json")], json!({ "error": sentence }).to_string())
                    .into_response()
            }
        }
    }
}
