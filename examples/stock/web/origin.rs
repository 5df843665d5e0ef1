//! Keeps pages of other sites from sending forms here.

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

/// Refuses a request that may change something if its `Origin` is another one. Browsers send that header, `curl` does not.
pub(super) async fn own_origin(request: Request, next: Next) -> Response {
    if request.method().is_safe() || is_own(request.headers()) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "a page of another site sent this request\n").into_response()
    }
}

/// Returns whether the origin, if there is one, is the host that the request was sent to.
fn is_own(headers: &HeaderMap) -> bool {
    let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    origin.is_none_or(|origin| origin.split_once("://").is_some_and(|(_, origin)| host == Some(origin)))
}
