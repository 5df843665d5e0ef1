//! Closures as jobs.

use std::future::Future;

use futures_util::future::BoxFuture;

use super::CallScope;
use crate::attempt::into_outcome::IntoOutcome;
use crate::attempt::outcome::Outcome;
use crate::contract::body::Body;
use crate::contract::job::NewJob;
use crate::contract::result::StoredResult;

/// A closure that has not run yet.
type Closure = Box<dyn FnOnce(CallScope) -> BoxFuture<'static, ClosureEnd> + Send>;

/// The outcome of a closure, and its result if it has one.
type ClosureEnd = (Outcome, Option<StoredResult>);

impl NewJob {
    /// Creates a job from a closure, which gets a [`CallScope`] and runs once: it has one attempt, and is discarded if it fails.
    ///
    /// Only an in-memory queue accepts it. A queue that stores bytes returns `Unsupported`.
    ///
    /// ```
    /// use queue_core::{CallScope, JobError, NewJob, QueueExt as _, jobs};
    /// use queue_testkit::TestKit;
    ///
    /// struct Pool;
    ///
    /// # type TestResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;
    /// # fn main() -> TestResult {
    /// # queue_testkit::block_on(async {
    /// let kit = TestKit::new(jobs![]).singleton(Pool).build()?;
    /// kit.queue()
    ///     .enqueue(NewJob::call(async |scope: CallScope| {
    ///         let _pool = scope.service::<Pool>().await?;
    ///         Ok::<(), JobError>(())
    ///     }))
    ///     .await?;
    ///
    /// kit.run_until_idle().await?.expect_success();
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn call<F, Fut>(call: F) -> Self
    where
        F: FnOnce(CallScope) -> Fut + Send + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoOutcome,
    {
        let call: Closure = Box::new(move |scope: CallScope| {
            let call: BoxFuture<'static, ClosureEnd> =
                Box::pin(async move { call(scope).await.into_parts() });
            call
        });
        Self { max_attempts: 1, ..Self::new(Self::CLOSURE, Body::once(Box::new(call))) }
    }
}

/// Takes the closure out of a body, if the body is a closure that has not run.
pub(crate) fn take(body: &Body) -> Option<Closure> {
    body.take_once()?.downcast::<Closure>().ok().map(|closure| *closure)
}
