//! The steps of a law. Each step is recorded before it is taken; its failure says what was called and what was returned.

use std::fmt;
use std::future::Future;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use queue_core::{QueueError, QueueErrorKind};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The last step of a law. It outlives the law, so that a report can name it.
pub(crate) type LastStep = Arc<Mutex<String>>;

#[derive(Clone)]
pub(crate) struct Steps {
    last: LastStep,
    patience: Duration,
}

impl Steps {
    pub(crate) fn new(last: LastStep, patience: Duration) -> Self {
        Self { last, patience }
    }

    /// Returns how long, in real time, one event may take.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Records the next step, for the message of a failure.
    pub(crate) fn note(&self, step: impl Into<String>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = step.into();
    }

    /// Takes a step that must finish.
    pub(crate) async fn finishes<T>(&self, step: impl Into<String>, call: impl Future<Output = T>) -> T {
        let step = step.into();
        self.note(step.clone());
        match timeout(self.patience, call).await {
            Ok(answer) => answer,
            Err(_) => panic!("{step} did not answer within {:?} of real time", self.patience),
        }
    }

    /// Takes a step that must finish and succeed.
    pub(crate) async fn ok<T>(
        &self,
        step: impl Into<String>,
        call: impl Future<Output = Result<T, QueueError>>,
    ) -> T {
        let step = step.into();
        match self.finishes(step.clone(), call).await {
            Ok(answer) => answer,
            Err(error) => {
                panic!("{step} failed: {} ({:?})", queue_core::backend::error_chain(&error), error.kind())
            }
        }
    }

    /// Waits for a task of the law. If the task panics, the law panics with the same message.
    pub(crate) async fn joins<T>(&self, step: impl Into<String>, task: JoinHandle<T>) -> T {
        let step = step.into();
        self.note(step.clone());
        match task.await {
            Ok(answer) => answer,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(error) => panic!("{step} did not end: {error}"),
        }
    }

    /// Takes a step that must fail with this kind of error.
    pub(crate) async fn fails_with<T: fmt::Debug>(
        &self,
        kind: QueueErrorKind,
        step: impl Into<String>,
        call: impl Future<Output = Result<T, QueueError>>,
    ) -> QueueError {
        let step = step.into();
        let answer = self.finishes(step.clone(), call).await;
        expect_refusal(kind, &step, answer)
    }
}

/// Checks that a call failed with this kind of error, and returns the error.
#[track_caller]
pub(crate) fn expect_refusal<T: fmt::Debug>(
    kind: QueueErrorKind,
    step: &str,
    answer: Result<T, QueueError>,
) -> QueueError {
    match answer {
        Err(error) if error.kind() == kind => error,
        Err(error) => {
            panic!("{step} must fail as {kind:?}, and failed as {:?}: {error}", error.kind())
        }
        Ok(answer) => panic!("{step} must fail as {kind:?}, and it returned {answer:?}"),
    }
}
