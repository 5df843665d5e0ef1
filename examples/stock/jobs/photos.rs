//! A closure as background work: somebody handles the new product.

use std::time::Duration;

use queue_core::CallScope;

/// Handles a product for a while, or until the program stops.
///
/// It is no job of its own but what a closure does: `queue.enqueue_fn(move |scope| resize_photos(scope, sku, time))`.
/// A closure runs once at most, so it suits work that may get lost.
///
/// # Cancel safety
///
/// Dropping the future ends the work without a word.
pub async fn resize_photos(scope: CallScope, sku: String, time: Duration) {
    tracing::info!(sku, "resizing the photos of the new product");
    tokio::select! {
        () = scope.sleep(time) => tracing::info!(sku, "resized the photos of the new product"),
        () = scope.token().cancelled() => tracing::warn!(sku, "stopped before the photos of the new product were resized"),
    }
}
