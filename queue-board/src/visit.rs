//! An admitted request, with the state of the board.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use crate::bulk::Changes;
use crate::desk::Desk;
use crate::error::BoardError;
use crate::form::Form;
use crate::frame::Frame;
use crate::live::Live;
use crate::site::Site;

/// A request that the guard has admitted.
pub(crate) struct Visit {
    pub(crate) site: Arc<Site>,
    pub(crate) changes: Arc<Changes>,
    pub(crate) live: Arc<Live>,
    pub(crate) frame: Frame,
    pub(crate) form: Form,
}

impl FromRequestParts<Desk> for Visit {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, StatusCode> {
        // Without a frame, the guard has not seen the request.
        let frame = parts.extensions.get::<Frame>().cloned().ok_or(StatusCode::FORBIDDEN)?;
        let Desk { site, changes, live } = desk.clone();
        Ok(Self { site, changes, live, frame, form: Form::of(&parts.headers) })
    }
}

impl Visit {
    /// Returns the operator. The guard admits no change without one.
    pub(crate) fn operator(&self) -> &str {
        self.frame.operator.as_deref().unwrap_or("unknown")
    }

    pub(crate) fn refuse(&self, error: BoardError) -> Response {
        error.answer(&self.frame, self.form)
    }
}
