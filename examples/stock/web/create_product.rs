//! Creates products by POST requests.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Json};

use super::error::WebError;
use crate::product::ProductForm;
use crate::shop::Shop;

/// Saves a product and answers at once; background jobs do the rest.
pub(super) async fn create_product(
    State(shop): State<Shop>,
    body: Bytes,
) -> Result<impl IntoResponse, WebError> {
    let product = read(&body)?.check()?;
    shop.add(product.clone()).await?;
    Ok((StatusCode::CREATED, [(LOCATION, "/")], Json(product)))
}

fn read(body: &[u8]) -> Result<ProductForm, WebError> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let form = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let source = error.into_inner();
        let field =
            Some(path).filter(|path| !matches!(path.as_str(), "." | "?")).or_else(|| named_field(&source));
        WebError::Malformed { field, source }
    })?;
    json.end().map_err(|source| WebError::Malformed { field: None, source })?;
    Ok(form)
}

/// Returns the field that an error of the whole object names, as in `missing field `stock` at line 1 column 9`.
fn named_field(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .into_iter()
        .find_map(|start| text.strip_prefix(start))?;
    named.split_once('`').map(|(field, _)| field.to_owned())
}
