//! Deliveries on their way from a backend to a claimer, which may have gone away in the meantime.

use std::fmt;

use crate::contract::queue::Delivery;
use crate::contract::settlement::{Settlement, Transition};

/// Leased jobs that no claimer has received yet. Dropping it releases them, and their attempts are not counted.
///
/// A backend that leases on its own thread sends this to the claimer, so that the claim may be dropped at any time.
///
/// ```
/// # use queue_core::{Body, Demand, NewJob, Queue as _, Transition};
/// # use queue_core::backend::Handover;
/// # use queue_testkit::ModelQueue;
/// # queue_testkit::block_on(async {
/// # let queue = ModelQueue::new();
/// # queue.push(vec![NewJob::new("send_mail", Body::stored("{}"))]).await?;
/// let leased = queue.claim(&Demand::new("default", 1)).await?;
/// let handover = Handover::new(leased, |releases| {
///     assert_eq!(releases[0].transition, Transition::Release); // the backend settles these
/// });
/// drop(handover); // the claimer never received the job
/// # Ok::<(), queue_core::QueueError>(())
/// # }).unwrap();
/// ```
pub struct Handover {
    deliveries: Vec<Delivery>,
    release: Option<Release>,
}

type Release = Box<dyn FnOnce(Vec<Settlement>) + Send>;

impl Handover {
    /// Wraps deliveries. If the caller is gone, `release` gets a `Release` settlement for each job.
    pub fn new(deliveries: Vec<Delivery>, release: impl FnOnce(Vec<Settlement>) + Send + 'static) -> Self {
        Self { deliveries, release: Some(Box::new(release)) }
    }

    /// Creates the answer to a claim that timed out.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { deliveries: Vec::new(), release: None }
    }

    /// Returns the deliveries to the claimer.
    #[must_use]
    pub fn received(mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries)
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        let Some(release) = self.release.take().filter(|_| !self.deliveries.is_empty()) else { return };
        let leases = std::mem::take(&mut self.deliveries).into_iter().map(|delivery| delivery.lease);
        release(leases.map(|lease| Settlement::new(lease, Transition::Release)).collect());
    }
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handover").field("deliveries", &self.deliveries).finish_non_exhaustive()
    }
}
