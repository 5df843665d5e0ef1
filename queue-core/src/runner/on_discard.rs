//! The kinds of job that are stored on a discard.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::IgnoredAny;

use super::kind::{Job, JobOptions};
use super::lazy_on_discard::LazyOnDiscard;
use crate::contract::body::Body;
use crate::contract::discarded::Discarded;
use crate::contract::enqueue::Enqueue;
use crate::contract::id::JobId;
use crate::contract::job::NewJob;
use crate::contract::name::JobName;
use crate::contract::on_discard::OnDiscard;
use crate::contract::queue::Queue;
use crate::contract::record::JobRecord;

impl OnDiscard {
    /// Creates the setting by which a job of the kind `J` is stored, with the defaults of its kind: `OnDiscard::of(alert::new)`.
    ///
    /// The function of the job takes a [`Discarded`] as its only parameter beside injected services.
    #[must_use]
    pub fn of<J: Job>(job: fn(Discarded) -> J) -> Self {
        let options = J::options();
        let named =
            Self::named(JobName::from_static(J::NAME), parameter(&job(sample())), options.max_attempts);
        named.queue(options.queue).priority(options.priority)
    }
}

/// Returns the name under which the payload stores its only parameter.
fn parameter<J: Job>(job: &J) -> String {
    let stored = serde_json::to_string(job).unwrap_or_default();
    let parameters: BTreeMap<String, IgnoredAny> = serde_json::from_str(&stored).unwrap_or_default();
    parameters.into_keys().next().unwrap_or_else(|| "discarded".to_owned())
}

fn sample() -> Discarded {
    Discarded::of(&JobRecord::new(JobId::from_u128(0), JobName::from_static("sample"), Body::NULL))
}

impl NewJob {
    /// Sets the job that is stored if this one is discarded: `on_discard(alert::new)`. See [`OnDiscard`].
    #[must_use]
    pub fn on_discard<J: Job>(mut self, job: fn(Discarded) -> J) -> Self {
        self.on_discard = Some(Arc::new(OnDiscard::of(job)));
        self
    }
}

impl JobOptions {
    /// Sets the job that is stored if a job of this kind is discarded: `on_discard(alert::new)`. See [`OnDiscard`].
    #[must_use]
    pub fn on_discard<J: Job>(mut self, job: fn(Discarded) -> J) -> Self {
        self.on_discard = Some(LazyOnDiscard::new(move || OnDiscard::of(job)));
        self
    }
}

impl<Q: Queue + ?Sized, E> Enqueue<'_, Q, E> {
    /// Sets the job that is stored if this one is discarded. See [`OnDiscard`].
    ///
    /// ```
    /// # use queue_core::{Discarded, Queue, QueueExt as _, background_job};
    /// # #[background_job]
    /// # async fn charge(order: u64) {}
    /// #[background_job]
    /// async fn alert(discarded: Discarded) {
    ///     println!("{} was discarded: {}", discarded.name, discarded.last_error());
    /// }
    ///
    /// # async fn example(queue: &dyn Queue) -> Result<(), queue_core::QueueError> {
    /// queue.enqueue(charge::new(7)).on_discard(alert::new).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_discard<J: Job>(self, job: fn(Discarded) -> J) -> Self {
        self.with(|new| new.on_discard(job))
    }
}
