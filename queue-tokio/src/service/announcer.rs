//! The announcer: repeatedly announces the running service to the queue, and at a stop announces that it has stopped.
//!
//! It shares a thread with the renewer, but each of its calls has a timeout, and no other task waits for a call. If a call fails, the
//! next one repeats the announcement.

use std::sync::Arc;
use std::time::Duration;

use queue_core::backend::error_chain;
use queue_core::{Announcement, JobName, Jobs, QueueErrorKind, Timestamp};

use super::process::{host, program};
use super::settings::Settings;
use super::shared::Shared;

/// The timeout of the announcement of a stop.
const LEAVE: Duration = Duration::from_secs(1);

/// Announces one run of a service.
pub(super) struct Announcer {
    shared: Arc<Shared>,
    announcement: Announcement,
    started_at: Timestamp,
}

impl Announcer {
    pub(super) fn new(shared: Arc<Shared>, jobs: &Jobs) -> Self {
        let started_at = shared.client().now();
        let announcement = announcement(shared.settings(), jobs);
        Self { shared, announcement, started_at }
    }

    /// Announces the service until the future is dropped, or until the queue answers that it does not store announcements.
    pub(super) async fn run(mut self) {
        let (shared, every) = (self.shared.clone(), self.shared.settings().announce_every());
        loop {
            self.announcement.up_for = shared.client().now().since(self.started_at);
            self.announcement.running = u32::try_from(shared.running()).unwrap_or(u32::MAX);
            match shared.client().announce(&self.announcement, every).await {
                Err(error) if error.kind() == QueueErrorKind::Unsupported => return,
                Err(error) => {
                    let service = shared.client().service();
                    tracing::debug!(service, error = %error_chain(&error), "the service could not announce itself");
                }
                Ok(()) => {}
            }
            shared.client().sleep(every).await;
        }
    }
}

/// Announces that the service has stopped. If that fails, the service is listed as vanished.
pub(super) async fn leave(shared: &Shared) {
    let mut announcement = Announcement::new(shared.settings().worker());
    announcement.valid_for = Duration::ZERO;
    if let Err(error) = shared.client().announce(&announcement, LEAVE).await {
        tracing::debug!(error = %error_chain(&error), "the service could not announce that it has stopped");
    }
}

fn announcement(settings: &Settings, jobs: &Jobs) -> Announcement {
    let mut announcement = Announcement::new(settings.worker());
    announcement.service.clone_from(&settings.name);
    announcement.host = host();
    announcement.pid = std::process::id();
    announcement.program = settings.program.clone().unwrap_or_else(program);
    announcement.queues = settings.queues.iter().map(|(queue, _)| queue.clone()).collect();
    announcement.jobs = jobs.names().into_iter().map(JobName::from).collect();
    announcement.concurrency = u32::try_from(settings.concurrency).unwrap_or(u32::MAX);
    announcement.valid_for = settings.announce_every().saturating_mul(2);
    announcement
}
