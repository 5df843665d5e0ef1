//! Creates products from the page's form.

use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::error::WebError;
use super::page::{Refusal, page};
use super::snapshot::Snapshot;
use crate::product::{InvalidProduct, ProductText};
use crate::shop::{AddError, Shop};

/// Saves the product and redirects to the page. If the product is refused, the page shows the form with its problems.
pub(super) async fn new_product(
    State(shop): State<Shop>,
    Form(entered): Form<ProductText>,
) -> Result<Response, WebError> {
    let (status, problems) = match entered.check() {
        Err(problems) => (StatusCode::UNPROCESSABLE_ENTITY, problems),
        Ok(product) => match shop.add(product).await {
            Ok(()) => return Ok(Redirect::to("/").into_response()),
            Err(error @ AddError::Duplicate { .. }) => {
                (StatusCode::CONFLICT, InvalidProduct::new("sku", error.to_string()))
            }
            Err(error) => return Err(error.into()),
        },
    };
    let refusal = Refusal { alert: None, entered, problems };
    Ok((status, page(&Snapshot::take(&shop).await?, &refusal)).into_response())
}
