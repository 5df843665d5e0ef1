//! The checks before each request, and the headers of each response.
//!
//! The board answers no page without access, and changes nothing without a POST request of the same origin.

use std::sync::Arc;

use axum::extract::{OriginalUri, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::access::Access;
use crate::error::BoardError;
use crate::form::Form;
use crate::frame::Frame;
use crate::site::Site;
use crate::text::time::now;

/// The policy of all pages: only the board's own style, script and icon, no frame, no form that goes elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Headers of each response. `same-origin` keeps addresses, with their filters, from other sites.
const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_FRAME_OPTIONS, "DENY"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "same-origin"),
    (CACHE_CONTROL, "no-store"),
    (VARY, "accept"),
];

/// Admits a request, or refuses it with the reason. A page finds its [`Frame`] in the extensions.
pub(crate) async fn guard(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let form = Form::of(request.headers());
    let (mut parts, body) = request.into_parts();
    let access = site.access(&parts);
    let base = base(
        &parts.extensions.get::<OriginalUri>().map_or_else(|| parts.uri.clone(), |uri| uri.0.clone()),
        &parts.uri,
    );
    let frame = Frame { base, operator: access.operator().map(str::to_owned), now: now(), is_live: false };
    let refusal = if access == Access::Forbidden {
        Some(BoardError::Forbidden(site.forbidden()))
    } else if parts.method.is_safe() {
        None
    } else if !is_same_origin(&parts.headers, &parts.uri) {
        Some(BoardError::Forbidden(
            "a change must come from a page of this board: the request has no `Sec-Fetch-Site: same-origin`, and its `Origin` is not its `Host`",
        ))
    } else if access.operator().is_none() {
        Some(BoardError::Forbidden(
            "you may look at this board, but not change anything: its `access` does not let you act",
        ))
    } else {
        None
    };
    let mut response = match refusal {
        Some(error) => error.answer(&frame, form).into_response(),
        None => {
            parts.extensions.insert(frame);
            next.run(Request::from_parts(parts, body)).await
        }
    };
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Returns the path under which the board is nested: what the original path has before the path within the board.
fn base(original: &Uri, within: &Uri) -> String {
    let path = original.path();
    path.strip_suffix(within.path()).unwrap_or(path).trim_end_matches('/').to_owned()
}

/// Returns whether a request comes from a page of the same origin. Browsers say so by `Sec-Fetch-Site`; older ones send an `Origin`.
fn is_same_origin(headers: &HeaderMap, uri: &Uri) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin";
    }
    let host = text(HOST).or_else(|| uri.authority().map(|authority| authority.as_str()));
    let origin = text(ORIGIN).and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    origin.is_some() && origin == host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_the_path_before_the_boards_own() {
        let table = [
            ("/", "/", ""),
            ("/jobs", "/jobs", ""),
            ("/queue", "/", "/queue"),
            ("/queue/", "/", "/queue"),
            ("/admin/queue/jobs/7", "/jobs/7", "/admin/queue"),
        ];
        for (original, within, expected) in table {
            assert_eq!(base(&original.parse().unwrap(), &within.parse().unwrap()), expected);
        }
    }

    #[test]
    fn a_change_comes_from_a_page_of_the_same_origin() {
        let table: [(&[(&'static str, &'static str)], bool); 8] = [
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "cross-site"), ("origin", "http://a"), ("host", "a")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "https://a:8080"), ("host", "a:8080")], true),
            (&[("origin", "https://b"), ("host", "a")], false),
            (&[("origin", "null"), ("host", "null")], false),
            (&[("host", "a")], false),
        ];
        for (headers, expected) in table {
            let headers: HeaderMap = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect();
            assert_eq!(is_same_origin(&headers, &Uri::from_static("/")), expected, "{headers:?}");
        }
    }
}
