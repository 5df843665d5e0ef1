//! A closure as background work: resizes the photos of a new product.

use std::time::Duration;

use queue_core::CallScope;

/// The number of photos of a product.
const PHOTOS: u8 = 5;

/// Resizes the photos of a product for `time`, or until the program stops. Its progress is shown on the page.
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
        () = resize_all(&scope, time) => tracing::info!(sku, "resized the photos of the new product"),
        () = scope.token().cancelled() => tracing::warn!(sku, "stopped before the photos of the new product were resized"),
    }
}

async fn resize_all(scope: &CallScope, time: Duration) {
    for photo in 0..PHOTOS {
        scope.progress(photo * (100 / PHOTOS), format!("resizing photo {} of {PHOTOS}", photo + 1));
        scope.sleep(time / u32::from(PHOTOS)).await;
    }
}
