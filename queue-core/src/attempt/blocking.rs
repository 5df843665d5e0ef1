//! Blocking jobs.

use std::sync::{Arc, OnceLock};

use futures_util::future::BoxFuture;

use crate::attempt::environment::Environment;
use crate::attempt::outcome::Outcome;
use crate::attempt::panic::caught_call;

/// Runs a blocking job on a blocking thread and waits for its outcome.
pub(crate) fn run_blocking(
    environment: &Environment,
    call: impl FnOnce() -> Outcome + Send + 'static,
) -> BoxFuture<'static, Outcome> {
    let outcome = Arc::new(OnceLock::new());
    let answer = outcome.clone();
    let span = tracing::Span::current();
    let running = environment.blocking.run_blocking(Box::new(move || {
        let ended = span.in_scope(|| caught_call(call));
        // This closure is the only one that sets it.
        drop(answer.set(ended));
    }));
    Box::pin(async move {
        running.await;
        outcome.get().cloned().unwrap_or(Outcome::Interrupted)
    })
}
