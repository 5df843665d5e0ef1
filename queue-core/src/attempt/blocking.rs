//! Blocking jobs.

use std::sync::{Arc, OnceLock};

use futures_util::future::BoxFuture;

use crate::attempt::context::JobContext;
use crate::attempt::outcome::Outcome;
use crate::attempt::panic::caught_call;
use crate::contract::result::StoredResult;

/// Runs a blocking job on a blocking thread and waits for its outcome.
pub(crate) fn run_blocking(
    context: &JobContext,
    call: impl FnOnce() -> (Outcome, Option<StoredResult>) + Send + 'static,
) -> BoxFuture<'_, Outcome> {
    let ended = Arc::new(OnceLock::new());
    let answer = ended.clone();
    let span = tracing::Span::current();
    let running = context.environment().blocking.run_blocking(Box::new(move || {
        let mut result = None;
        let outcome = span.in_scope(|| {
            caught_call(|| {
                let (outcome, returned) = call();
                result = returned;
                outcome
            })
        });
        // This closure is the only one that sets it.
        drop(answer.set((outcome, result)));
    }));
    Box::pin(async move {
        running.await;
        ended.get().map_or(Outcome::Interrupted, |parts| context.returned(parts.clone()))
    })
}
