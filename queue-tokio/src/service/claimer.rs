//! The claims of one lane.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use queue_core::backend::error_chain;
use queue_core::{Delivery, Demand, OnDiscard, QueueError, WorkerId};

use super::backoff::Backoff;
use super::client::Client;
use super::prefetch::Prefetch;
use super::rotation::Rotation;
use super::settings::Settings;
use super::shutdown::Shutdown;

/// A claim waits for a job for at most this long, and is then repeated: a lost answer costs a worker no more.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// The longest wait of the first claim after a failure. Its answer, even an empty one, shows that the queue works again.
const WAIT_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// A claim asks for at most this many jobs.
const MAX_JOBS: usize = 10_000;

/// Claims for one lane. The worker that claims owns it; so at most one claim of a lane is under way.
#[derive(Debug)]
pub(super) struct Claimer {
    share: usize,
    lease: Duration,
    worker: WorkerId,
    on_discard: Option<Arc<OnDiscard>>,
    rotation: Rotation,
    prefetch: Prefetch,
    /// How many jobs to prefetch, if the user has set it.
    fixed_prefetch: Option<usize>,
    /// The failures of all lanes, so that they are logged once.
    backoff: Arc<Mutex<Backoff>>,
    has_failed: bool,
}

impl Claimer {
    pub(super) fn new(
        settings: &Settings,
        share: usize,
        fixed_prefetch: Option<usize>,
        backoff: Arc<Mutex<Backoff>>,
    ) -> Self {
        Self {
            share,
            lease: settings.lease,
            worker: settings.worker(),
            on_discard: settings.on_discard.clone(),
            rotation: Rotation::new(&settings.queues),
            prefetch: Prefetch::new(settings.queues.len()),
            fixed_prefetch,
            backoff,
            has_failed: false,
        }
    }

    /// Claims as many jobs as there is room for, and perhaps more. Returns none at a stop, and after the wait that follows a
    /// failure.
    ///
    /// A stop ends the claim itself, which then answers: if the claim were dropped, leases might be left behind.
    pub(super) async fn claim(
        &mut self,
        room: usize,
        has_suspended: bool,
        client: &Client,
        shutdown: &Shutdown,
    ) -> Vec<Delivery> {
        let began = client.now();
        let ahead = match self.fixed_prefetch {
            Some(jobs) => jobs,
            None => self.prefetch.ahead(self.share, began, has_suspended),
        };
        let mut demand = Demand::of(self.rotation.next(), room.saturating_add(ahead).min(MAX_JOBS))
            .wait(if self.has_failed { WAIT_AFTER_FAILURE } else { LONGEST_WAIT })
            .startable(room)
            .lease(self.lease)
            .stop(shutdown.stopping())
            .worker(self.worker.clone());
        demand.on_discard.clone_from(&self.on_discard);
        match client.claim(&demand, shutdown).await {
            Ok(deliveries) => {
                self.note_success(client);
                self.prefetch.note(demand.max, deliveries.len(), began, client.now());
                deliveries
            }
            Err(error) => {
                self.wait_after(&error, client, shutdown).await;
                Vec::new()
            }
        }
    }

    fn note_success(&mut self, client: &Client) {
        if std::mem::take(&mut self.has_failed) {
            self.backoff.lock().unwrap_or_else(PoisonError::into_inner).worked(client);
        }
    }

    async fn wait_after(&mut self, error: &QueueError, client: &Client, shutdown: &Shutdown) {
        if shutdown.is_stopping() {
            if error.is_transient() && shutdown.stopping().has_listener() {
                tracing::warn!(
                    service = client.service(), error = %error_chain(error),
                    "the last claim failed; what it may have leased is released by the queue, or expires"
                );
            }
            return;
        }
        self.has_failed = true;
        let wait = self.backoff.lock().unwrap_or_else(PoisonError::into_inner).failed(error, client);
        tokio::select! {
            biased;
            () = client.sleep(wait) => {}
            () = shutdown.stopping().fired() => {}
        }
    }
}
