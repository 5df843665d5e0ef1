//! Runs one law: owns the runtime, guards against a hang, and says what was broken.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::error::Elapsed;

use super::Law;
use super::maker::Maker;
use super::subject::Subject;

/// How long, in real time, a law waits for one event where nothing else is said.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// How long, in real time, a law may take. Only what hangs takes as long, so slow machines have time.
const LAW_GUARD: Duration = Duration::from_secs(60);

/// What a law did last; it outlives the law, so that a failure can tell.
pub(super) type LastStep = Arc<Mutex<String>>;

/// Runs a law against a fresh queue on a runtime of its own.
pub(super) fn run(law: &'static Law, patience: Duration, maker: Maker) -> Result<(), String> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| format!("the suite could not start a runtime: {error}"))?;
    let result = run_on(&runtime, law, patience, maker);
    // What a broken queue left running must not keep the test from ending.
    runtime.shutdown_background();
    result
}

fn run_on(runtime: &Runtime, law: &'static Law, patience: Duration, maker: Maker) -> Result<(), String> {
    let step = LastStep::default();
    let recorded = step.clone();
    let task = runtime.spawn(async move {
        let subject = Subject::new(maker, recorded, patience).await;
        (law.run)(&subject).await;
    });
    let guard = if takes_its_time(law) { Duration::MAX } else { LAW_GUARD };
    let outcome = runtime.block_on(async { tokio::time::timeout(guard, task).await });
    let found = match outcome {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) if error.is_panic() => panic_text(&*error.into_panic()),
        Ok(Err(error)) => error.to_string(),
        Err(Elapsed { .. }) => {
            format!("nothing happened any more: the law was not through after {LAW_GUARD:?}")
        }
    };
    let step = step.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Err(message(law.name, &step, &found))
}

/// Tells whether a law runs for as long as it was asked to, and guards its parts itself.
fn takes_its_time(law: &Law) -> bool {
    law.name.starts_with("q55_")
}

fn message(name: &str, step: &str, found: &str) -> String {
    let (number, sentence) = name.split_once('_').unwrap_or((name, ""));
    let (number, sentence) = (number.to_uppercase(), sentence.replace('_', " "));
    format!(
        "the queue breaks law {number}: {sentence}\n\n{found}\n\nlast step: {step}\nlaw: `{name}` of the conformance suite"
    )
}

/// Gives what a panic said.
pub(super) fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a text").to_owned()
}
