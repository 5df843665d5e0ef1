//! Catches panics, with their message and location.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::sync::Once;
use std::task::Poll;

use futures_util::future::poll_fn;

use crate::attempt::outcome::{Failure, FailureCause, Outcome};
use crate::contract::error::panic_message;

thread_local! {
    /// The location of the panic that is being caught on this thread.
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a future and converts a panic in it to a failure.
///
/// Only the panic hook knows the location of a panic. The first call therefore installs a hook, which calls the previous hook.
/// If the program replaces the hook later, failures have the message and no location.
pub(crate) async fn caught(work: impl Future<Output = Outcome>) -> Outcome {
    listen();
    let mut work = pin!(work);
    poll_fn(|cx| {
        panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)))
            .unwrap_or_else(|panic| Poll::Ready(failed(panic)))
    })
    .await
}

/// Runs a call and converts a panic in it to a failure.
pub(crate) fn caught_call(call: impl FnOnce() -> Outcome) -> Outcome {
    listen();
    panic::catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(failed)
}

#[cfg_attr(
    not(feature = "explore"),
    expect(clippy::needless_pass_by_value, reason = "the explorer's panic payload is resumed")
)]
fn failed(panic: Box<dyn Any + Send>) -> Outcome {
    #[cfg(feature = "explore")]
    if panic.is::<crate::attempt::explore::Crash>() {
        panic::resume_unwind(panic);
    }
    let message = panic_message(&*panic);
    let message = match LOCATION.take() {
        Some(location) => format!("{message}, at {location}"),
        None => message,
    };
    Outcome::Failure(Failure::new(FailureCause::Panic, message))
}

fn listen() {
    static LISTEN: Once = Once::new();
    LISTEN.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            LOCATION.set(info.location().map(ToString::to_string));
            previous(info);
        }));
    });
}
