//! What happens to a claimed job, and the decorators that stand around it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;

use crate::context::JobContext;
use crate::outcome::Outcome;
use crate::queue::Delivery;

/// Works on a claimed job.
///
/// The innermost worker looks the job up, makes its services and performs it; it's the only one that does.
/// Middleware is a worker that wraps a worker.
#[async_trait]
pub trait Worker: Send + Sync + 'static {
    /// Works on the job and says how that ended.
    ///
    /// # Cancel safety
    ///
    /// Interrupts come through the context, and the innermost worker ends by them. The future is dropped before its end only if it
    /// goes on for a second after the job's timeout has passed, or after force was used, and no service is being disposed.
    async fn work(&self, job: &Delivery, context: &JobContext) -> Outcome;
}

#[async_trait]
impl<W: Worker + ?Sized> Worker for Arc<W> {
    async fn work(&self, job: &Delivery, context: &JobContext) -> Outcome {
        (**self).work(job, context).await
    }
}

/// Middleware: wraps a worker in another.
///
/// It sees every outcome, panics and timeouts included, since the innermost worker has turned them to outcomes by then,
/// and may answer with another one. The job's timeout bounds middleware, too, and is counted from the attempt's begin.
///
/// ```
/// use queue_core::{Delivery, JobContext, Layer, Outcome, Worker};
/// use std::sync::Arc;
///
/// struct Timed(Arc<dyn Worker>);
///
/// #[async_trait::async_trait]
/// impl Worker for Timed {
///     async fn work(&self, job: &Delivery, context: &JobContext) -> Outcome {
///         let outcome = self.0.work(job, context).await;
///         println!("{} ended after {:?}", job.name, context.now().since(context.started_at()));
///         outcome
///     }
/// }
///
/// let layer: &dyn Layer = &|inner| Arc::new(Timed(inner)) as Arc<dyn Worker>;
/// # let _ = layer;
/// ```
pub trait Layer: Send + Sync {
    /// Wraps the worker.
    fn wrap(&self, inner: Arc<dyn Worker>) -> Arc<dyn Worker>;
}

impl<F: Fn(Arc<dyn Worker>) -> Arc<dyn Worker> + Send + Sync> Layer for F {
    fn wrap(&self, inner: Arc<dyn Worker>) -> Arc<dyn Worker> {
        self(inner)
    }
}

/// Makes a worker of a function, mostly for tests.
pub fn worker_fn<F, Fut>(work: F) -> impl Worker
where
    F: Fn(Delivery, JobContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Outcome> + Send + 'static,
{
    FnWorker(work)
}

struct FnWorker<F>(F);

#[async_trait]
impl<F, Fut> Worker for FnWorker<F>
where
    F: Fn(Delivery, JobContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Outcome> + Send + 'static,
{
    async fn work(&self, job: &Delivery, context: &JobContext) -> Outcome {
        (self.0)(job.clone(), context.clone()).await
    }
}

impl fmt::Debug for dyn Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn Worker")
    }
}
