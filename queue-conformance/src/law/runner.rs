//! Runs one law on its own runtime, with a time limit, and reports how the queue broke it.

use std::any::Any;
use std::future::Future;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::error::Elapsed;

use super::steps::LastStep;

/// How long, in real time, a law waits for one event by default.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the law of this name on a runtime of its own.
pub(crate) fn run(
    name: &'static str,
    guard: Duration,
    step: &LastStep,
    law: impl Future<Output = ()> + Send + 'static,
) -> Result<(), String> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| format!("the suite could not start a runtime: {error}"))?;
    let result = run_on(&runtime, guard, law);
    // Tasks that a broken queue left running must not keep the test from ending.
    runtime.shutdown_background();
    result.map_err(|found| {
        let step = step.lock().unwrap_or_else(PoisonError::into_inner).clone();
        message(name, &step, &found)
    })
}

fn run_on(
    runtime: &Runtime,
    guard: Duration,
    law: impl Future<Output = ()> + Send + 'static,
) -> Result<(), String> {
    let task = runtime.spawn(law);
    match runtime.block_on(async { tokio::time::timeout(guard, task).await }) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) if error.is_panic() => Err(panic_text(&*error.into_panic())),
        Ok(Err(error)) => Err(error.to_string()),
        Err(Elapsed { .. }) => Err(format!("the law hangs: it did not end within {guard:?}")),
    }
}

fn message(name: &str, step: &str, found: &str) -> String {
    let (number, sentence) = name.split_once('_').unwrap_or((name, ""));
    let (number, sentence) = (number.to_uppercase(), sentence.replace('_', " "));
    format!(
        "the queue breaks law {number}: {sentence}\n\n{found}\n\nlast step: {step}\nlaw: `{name}` of the conformance suite"
    )
}

/// Returns the message of a panic.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}
