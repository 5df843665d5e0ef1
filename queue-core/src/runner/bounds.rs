//! The bounds of an attempt: its timeout, and the abort by its interrupt.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{BoxFuture, poll_fn};

use crate::attempt::context::JobContext;
use crate::attempt::outcome::{Failure, FailureCause, Outcome};

/// Runs the work until it ends, its timeout passes, or it is aborted, whichever is first.
pub(super) async fn within(
    timeout: Option<Duration>,
    context: &JobContext,
    work: impl Future<Output = Outcome>,
) -> Outcome {
    let mut work = pin!(work);
    let mut forced = pin!(context.interrupt().forced());
    let mut over = timeout.map(|timeout| -> BoxFuture<'_, ()> {
        // Middleware shares the job's timeout, so `bounded` counts it.
        if context.runner().is_layered {
            Box::pin(context.interrupt().expired())
        } else {
            Box::pin(time_over(context, timeout))
        }
    });
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = work.as_mut().poll(cx) {
            return Poll::Ready(outcome);
        }
        if forced.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Outcome::Interrupted);
        }
        match over.as_mut().map(|over| over.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => {
                // Also stops threads and tasks that the job left behind.
                context.token().cancel();
                Poll::Ready(timed_out(timeout))
            }
            Some(Poll::Pending) | None => Poll::Pending,
        }
    })
    .await
}

/// Waits until the attempt's timeout has passed. Waits for resources don't count.
async fn time_over(context: &JobContext, timeout: Duration) {
    let clock = &context.environment().clock;
    clock.sleep(timeout).await;
    let mut granted = Duration::ZERO;
    loop {
        let more = owed(context.waited(), granted);
        if more.is_zero() {
            return;
        }
        granted = granted.saturating_add(more);
        clock.sleep(more).await;
    }
}

fn timed_out(timeout: Option<Duration>) -> Outcome {
    let message = format!("timed out after {:?}", timeout.unwrap_or_default());
    Outcome::Failure(Failure::new(FailureCause::Timeout, message))
}

/// How long middleware may continue after the attempt's timeout or an abort.
const GRACE: Duration = Duration::from_secs(1);

/// Runs middleware and the job within until they end, or until a grace period after the timeout or an abort.
///
/// The job's timeout is counted here, from the start of the attempt. At the timeout or at an abort, the job within ends and its
/// services are disposed. Middleware then sees that outcome and has the grace period to return. Disposal is not cut short here.
pub(super) async fn bounded(
    context: &JobContext,
    timeout: Option<Duration>,
    work: impl Future<Output = Outcome>,
) -> Outcome {
    let (clock, interrupt, name) = (&context.environment().clock, context.interrupt(), context.name());
    let grace = || async {
        clock.sleep(GRACE).await;
        while context.is_closing() {
            clock.sleep(GRACE).await;
        }
    };
    let mut work = pin!(work);
    let mut forced = pin!(async {
        interrupt.forced().await;
        grace().await;
    });
    let mut over = timeout.map(|timeout| {
        Box::pin(async move {
            time_over(context, timeout).await;
            interrupt.expire();
            grace().await;
        })
    });
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = work.as_mut().poll(cx) {
            return Poll::Ready(outcome);
        }
        if forced.as_mut().poll(cx).is_ready() {
            tracing::error!(job.name = %name, "middleware did not end after the attempt was aborted, dropping it");
            return Poll::Ready(Outcome::Interrupted);
        }
        match over.as_mut().map(|over| over.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => {
                context.token().cancel();
                tracing::error!(job.name = %name, "middleware did not end after the timeout, dropping it");
                Poll::Ready(timed_out(timeout))
            }
            Some(Poll::Pending) | None => Poll::Pending,
        }
    })
    .await
}

/// While an attempt waits for a resource, its timeout is extended by at least this time.
const WHILE_WAITING: Duration = Duration::from_millis(100);

/// Returns the extension for waits that the attempt has not been granted yet.
fn owed((waited, is_waiting): (Duration, bool), granted: Duration) -> Duration {
    let owed = waited.saturating_sub(granted);
    if is_waiting { owed.max(WHILE_WAITING) } else { owed }
}
