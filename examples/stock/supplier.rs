//! The supplier's HTTP API.

pub mod stub;

use std::time::Duration;

use queue_core::JobId;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::product::Product;

/// A client of the supplier's API.
#[derive(Clone, Debug)]
pub struct Supplier {
    client: Client,
    base: String,
}

impl Supplier {
    /// Creates a client of the API at a base address without a trailing slash: `http://127.0.0.1:9000`.
    #[must_use]
    pub fn new(base: impl Into<String>) -> Self {
        Self { client: Client::new(), base: base.into() }
    }

    /// Sends a product to the supplier, and returns the supplier's reference.
    ///
    /// The key is the same for every attempt of a job, so that the supplier recognizes a repetition.
    ///
    /// # Errors
    ///
    /// See the variants.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the supplier may or may not have the product; sending it again is harmless.
    pub async fn put(&self, product: &Product, key: JobId) -> Result<String, SupplierError> {
        let response = self
            .client
            .put(format!("{}/products/{}", self.base, product.sku))
            .header("idempotency-key", key.to_string())
            .json(product)
            .send()
            .await?;
        let known: Known = accepted(response)?.json().await?;
        Ok(known.reference)
    }
}

/// The answer of the supplier.
#[derive(Debug, Deserialize, Serialize)]
struct Known {
    reference: String,
}

/// Why the supplier did not accept the product.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SupplierError {
    /// No answer came, or an unreadable one.
    #[error("the supplier could not be reached")]
    Unreachable(#[from] reqwest::Error),
    /// The supplier failed; the next attempt may succeed.
    #[error("the supplier failed with {status}")]
    Failed {
        /// The status of the answer.
        status: StatusCode,
    },
    /// The supplier asks for a pause.
    #[error("the supplier asks for a pause of {wait:?}")]
    Busy {
        /// The length of the pause.
        wait: Duration,
    },
    /// The supplier refuses the product for good.
    #[error("the supplier refused with {status}")]
    Refused {
        /// The status of the answer.
        status: StatusCode,
    },
}

fn accepted(response: Response) -> Result<Response, SupplierError> {
    let status = response.status();
    let wait = response.headers().get(RETRY_AFTER).and_then(|seconds| seconds.to_str().ok()?.parse().ok());
    match (status.is_success(), status.is_client_error(), wait) {
        (true, _, _) => Ok(response),
        (_, _, Some(seconds)) => Err(SupplierError::Busy { wait: Duration::from_secs(seconds) }),
        (_, true, None) => Err(SupplierError::Refused { status }),
        (_, false, None) => Err(SupplierError::Failed { status }),
    }
}
