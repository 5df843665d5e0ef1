//! The job that a queue stores when another is discarded.

use serde::{Deserialize, Serialize};

use crate::contract::body::mismatch::{flaw, read};
use crate::contract::error::{QueueError, QueueErrorKind};
use crate::contract::name::{JobName, QueueName};

/// The job that a queue stores when another is discarded: a job whose payload is the [`Discarded`](crate::Discarded) one, or nothing.
///
/// The queue stores that job in the same step as the discard, whether a worker discards the job or its last lease expires. It has
/// the meta of the discarded job, never waits for capacity, and no limit on payloads applies to it. Its own discard stores
/// nothing.
///
/// ```
/// use queue_core::{Discarded, NewJob, background_job, jobs};
/// use queue_testkit::TestKit;
///
/// #[background_job]
/// async fn alert(discarded: Discarded) {
///     println!("{} was discarded: {}", discarded.name, discarded.last_error());
/// }
///
/// #[background_job(max_attempts = 1, on_discard = alert)]
/// async fn charge(order: u64) -> Result<(), String> {
///     Err(format!("order {order} is unknown"))
/// }
///
/// # use queue_core::QueueExt as _;
/// # queue_testkit::block_on(async {
/// let kit = TestKit::new(jobs![charge, alert]).build()?;
/// kit.queue().enqueue(charge::new(7)).await?;
///
/// let run = kit.run_until_idle().await?;
/// assert_eq!(run.attempts_of::<alert>(), 1);
/// # Ok::<(), queue_core::BoxError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OnDiscard(Option<DiscardHandler>);

/// The job that is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DiscardHandler {
    pub(crate) name: JobName,
    pub(crate) queue: QueueName,
    /// The parameter of the job's function that takes the discarded job.
    pub(crate) parameter: String,
    pub(crate) priority: i32,
    pub(crate) max_attempts: u32,
}

impl OnDiscard {
    /// Creates the setting by which nothing is stored, not even if the service that runs the job has a default.
    #[must_use]
    pub const fn nothing() -> Self {
        Self(None)
    }

    /// Creates the setting by which a job of this name is stored in the queue `default`, with priority 0 and `max_attempts`
    /// attempts. `parameter` is the name of the parameter that takes the discarded job.
    ///
    /// A program that has the job's function uses [`OnDiscard::of`].
    pub fn named(name: impl Into<JobName>, parameter: impl Into<String>, max_attempts: u32) -> Self {
        Self(Some(DiscardHandler {
            name: name.into(),
            queue: QueueName::DEFAULT,
            parameter: parameter.into(),
            priority: 0,
            max_attempts,
        }))
    }

    /// Sets the queue in which the job is stored.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<QueueName>) -> Self {
        if let Some(handler) = &mut self.0 {
            handler.queue = queue.into();
        }
        self
    }

    /// Sets the priority of the job; lower runs first.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        if let Some(handler) = &mut self.0 {
            handler.priority = priority;
        }
        self
    }

    /// Returns the queue in which a job is stored, if one is.
    #[must_use]
    pub fn queue_name(&self) -> Option<&QueueName> {
        self.0.as_ref().map(|handler| &handler.queue)
    }

    pub(crate) fn handler(&self) -> Option<&DiscardHandler> {
        self.0.as_ref()
    }

    /// Returns the setting as JSON, as a backend stores it: `null` if nothing is stored.
    ///
    /// # Errors
    ///
    /// `Invalid` if the setting cannot be written as JSON.
    pub fn to_json(&self) -> Result<String, QueueError> {
        serde_json::to_string(self).map_err(|error| {
            QueueError::invalid("`on_discard` can't be written as JSON").with_source(flaw(&error))
        })
    }

    /// Reads the text that [`to_json`](Self::to_json) returned.
    ///
    /// # Errors
    ///
    /// `Corrupt` for any other text.
    pub fn from_json(text: &str) -> Result<Self, QueueError> {
        read(text).map_err(|error| {
            QueueError::new(QueueErrorKind::Corrupt, "`on_discard` can't be read").with_source(error)
        })
    }
}
