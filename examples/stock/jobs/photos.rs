//! A closure as background work: resizes the photos of a new product.

use std::time::Duration;

use queue_core::CallScope;

/// Resizes the photos of a product for `time`, or until the program stops.
///
/// A closure calls it, so it is not a job of its own: `queue.enqueue_fn(move |scope| resize_photos(scope, sku, time))`.
/// A closure runs at most once, so it suits work that may get lost.
///
/// # Cancel safety
///
/// Dropping the future ends the work without a log line.
pub async fn resize_photos(scope: CallScope, sku: String, time: Duration) {
    tracing::info!(sku, "resizing the photos of the new product");
    tokio::select! {
        () = scope.sleep(time) => tracing::info!(sku, "resized the photos of the new product"),
        () = scope.token().cancelled() => tracing::warn!(sku, "stopped before the photos of the new product were resized"),
    }
}
