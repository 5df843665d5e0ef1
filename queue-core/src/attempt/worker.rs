//! What happens to a claimed job, and the middleware around it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::attempt::context::JobContext;
use crate::attempt::outcome::Outcome;

/// Works on a claimed job.
///
/// The innermost worker finds the job by its name, creates its services and runs it. Middleware is a worker that wraps a
/// worker.
#[async_trait]
pub trait Worker: Send + Sync + 'static {
    /// Works on the job of the context and returns how that ended.
    ///
    /// # Cancel safety
    ///
    /// Interrupts come through the context, and the innermost worker ends by them. The future is dropped before its end only if it
    /// goes on for a second after the job's timeout has passed, or after it was aborted, and no service is being disposed.
    async fn work(&self, context: &JobContext) -> Outcome;
}

#[async_trait]
impl<W: Worker + ?Sized> Worker for Arc<W> {
    async fn work(&self, context: &JobContext) -> Outcome {
        (**self).work(context).await
    }
}

/// Middleware: a function that wraps a worker in another.
///
/// The outer worker sees every outcome, panics and timeouts included, since the innermost worker has turned them into outcomes by
/// then, and may return another one. The job's timeout bounds middleware, too, and is counted from the start of the attempt.
///
/// ```
/// use queue_core::{JobContext, Layer, Outcome, Worker};
/// use std::sync::Arc;
///
/// struct Timed(Arc<dyn Worker>);
///
/// #[async_trait::async_trait]
/// impl Worker for Timed {
///     async fn work(&self, context: &JobContext) -> Outcome {
///         let outcome = self.0.work(context).await;
///         println!("{} ended after {:?}", context.name(), context.now().since(context.started_at()));
///         outcome
///     }
/// }
///
/// let layer: Layer = Arc::new(|inner| Arc::new(Timed(inner)));
/// # let _ = layer;
/// ```
pub type Layer = Arc<dyn Fn(Arc<dyn Worker>) -> Arc<dyn Worker> + Send + Sync>;

impl fmt::Debug for dyn Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn Worker")
    }
}
