//! The worker of a claimed job, and the middleware around it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::attempt::context::JobContext;
use crate::attempt::outcome::Outcome;

/// Runs a claimed job.
///
/// The innermost worker finds the job by its name, creates its services and runs it. Middleware is a worker that wraps a
/// worker.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a worker",
    note = "a layer takes the inner worker and returns another one; call a function that returns a layer: `.layer(f(..))`"
)]
#[async_trait]
pub trait Worker: Send + Sync + 'static {
    /// Runs the job of the context and returns its outcome.
    ///
    /// # Cancel safety
    ///
    /// Interrupts arrive through the context, and the innermost worker ends when one is forced. The future is dropped before
    /// its end only if it continues for a second after the job's timeout or after an abort, and no service is being disposed.
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
/// The outer worker sees every outcome, including panics and timeouts, which the innermost worker has converted to outcomes. It
/// may return a different outcome. The job's timeout also bounds middleware, and counts from the start of the attempt.
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
