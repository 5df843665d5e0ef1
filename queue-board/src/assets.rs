//! The style, the script and the icon, embedded in the program.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

const STYLE: &str = include_str!("../assets/board.css");
const SCRIPT: &str = include_str!("../assets/board.js");
const ICON_TEXT: &str = include_str!("../assets/icon.svg");

pub(crate) const ICON: &str = "/assets/icon.svg";

/// The names of the files with a digest of their content, so that browsers may keep them and a new version has another name.
static STYLE_NAME: LazyLock<String> = LazyLock::new(|| format!("board-{:x}.css", digest(STYLE)));
static SCRIPT_NAME: LazyLock<String> = LazyLock::new(|| format!("board-{:x}.js", digest(SCRIPT)));

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

pub(crate) fn style_path() -> String {
    format!("/assets/{}", *STYLE_NAME)
}

pub(crate) fn script_path() -> String {
    format!("/assets/{}", *SCRIPT_NAME)
}

pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{name}", get(async |Path(name): Path<String>| file(&name)))
}

fn file(name: &str) -> Response {
    let found = match name {
        name if *name == **STYLE_NAME => ("text/css; charset=utf-8", STYLE),
        name if *name == **SCRIPT_NAME => ("text/javascript; charset=utf-8", SCRIPT),
        "icon.svg" => ("image/svg+xml", ICON_TEXT),
        _ => return (StatusCode::NOT_FOUND, "there is no such file: reload the page\n").into_response(),
    };
    let headers = [(CONTENT_TYPE, found.0), (CACHE_CONTROL, "private, max-age=31536000, immutable")];
    (headers, found.1).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_has_fewer_than_200_lines() {
        assert!(SCRIPT.lines().count() < 200);
    }
}
