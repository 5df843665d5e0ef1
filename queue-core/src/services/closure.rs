//! Closures as jobs.

use std::future::Future;

use futures_util::future::BoxFuture;

use super::CallScope;
use crate::attempt::outcome::{IntoOutcome, Outcome};
use crate::contract::body::Body;
use crate::contract::job::NewJob;

/// A closure that has not run yet.
type Closure = Box<dyn FnOnce(CallScope) -> BoxFuture<'static, Outcome> + Send>;

impl NewJob {
    /// Makes a job of a closure, which gets a [`CallScope`] and is run once: one attempt, discarded if it fails.
    ///
    /// Only an in-memory queue takes it; one that stores bytes answers `Unsupported`.
    pub fn call<F, Fut>(call: F) -> Self
    where
        F: FnOnce(CallScope) -> Fut + Send + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoOutcome,
    {
        let call: Closure = Box::new(move |scope: CallScope| {
            let call: BoxFuture<'static, Outcome> = Box::pin(async move { call(scope).await.into_outcome() });
            call
        });
        Self { max_attempts: 1, ..Self::new(Self::CLOSURE, Body::once(Box::new(call))) }
    }
}

/// Takes the closure out of a body, if it has one that has not run.
pub(crate) fn take(body: &Body) -> Option<Closure> {
    body.take_once()?.downcast::<Closure>().ok().map(|closure| *closure)
}
