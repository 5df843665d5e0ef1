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
        let field = Some(path).filter(|path| !matches!(path.as_str(), "." | "?"));
        WebError::Malformed { field, source: error.into_inner() }
    })?;
    json.end().map_err(|source| WebError::Malformed { field: None, source })?;
    Ok(form)
}
