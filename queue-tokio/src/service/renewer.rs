//! The renewer: keeps the leases of all jobs in flight, on a thread that jobs cannot block. A renewal also stores their progress.

use std::sync::{Arc, Weak};
use std::time::Duration;

use queue_core::{Event, Heartbeat, InterruptReason, Renewal, Timestamp};

use super::backoff::Backoff;
use super::job::InFlightJob;
use super::lane::Lane;
use super::shared::Shared;

/// Renews the leases of all lanes with one call.
pub(super) struct Renewer {
    shared: Arc<Shared>,
    backoff: Backoff,
    next: Timestamp,
    /// When the last renewal was answered, or the first job came into flight.
    last: Timestamp,
}

impl Renewer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let now = shared.client().now();
        Self { shared, backoff: Backoff::new("renew", 2), next: now, last: now }
    }

    /// Renews until it is dropped. Once it finds no job in flight, it sleeps until there is one.
    ///
    /// While jobs come and go, it wakes by time alone, so that no other task has to wake it.
    pub(super) async fn run(mut self) {
        self.set_next(self.shared.settings().renew_every());
        loop {
            if self.is_idle() {
                self.shared.client().nothing_to_renew();
                self.shared.renewer().sleep_unless(|| !self.is_idle()).await;
                self.last = self.shared.client().now();
                self.set_next(self.shared.settings().renew_every());
            }
            let wake = self.next_force().min(self.next);
            self.shared.client().sleep(wake.since(self.shared.client().now())).await;
            let now = self.shared.client().now();
            self.force_overdue(now);
            if now >= self.next {
                let wait = self.renew().await;
                self.set_next(wait);
            }
        }
    }

    fn set_next(&mut self, wait: Duration) {
        self.next = self.shared.client().now().saturating_add(wait);
    }

    fn is_idle(&self) -> bool {
        self.shared.lanes().iter().all(Lane::is_empty)
    }

    fn each(&self, mut visit: impl FnMut(&Arc<InFlightJob>)) {
        self.shared.lanes().iter().for_each(|lane| lane.each(&mut visit));
    }

    /// Returns when the next job is to be dropped.
    fn next_force(&self) -> Timestamp {
        let mut next = Timestamp::MAX;
        self.each(|job| next = next.min(job.force_at()));
        next
    }

    /// Drops the jobs whose grace period is over.
    fn force_overdue(&self, now: Timestamp) {
        let mut overdue = Vec::new();
        self.each(|job| overdue.extend((job.force_at() <= now).then(|| job.clone())));
        overdue.iter().for_each(|job| job.force_if_overdue(now));
    }

    /// Renews every lease, and returns when to do so again.
    async fn renew(&mut self) -> Duration {
        let shared = self.shared.clone();
        let (client, every, asked_at) =
            (shared.client(), shared.settings().renew_every(), shared.client().now());
        // Weak, so that a job that ends meanwhile is not dropped here: its payload runs foreign code.
        let (mut jobs, mut heartbeats): (Vec<Weak<InFlightJob>>, Vec<Heartbeat>) = Default::default();
        self.each(|job| {
            jobs.push(Arc::downgrade(job));
            heartbeats.push(Heartbeat::new(job.lease().clone()).progress(job.attempt().take_progress()));
        });
        match client.renew(&heartbeats, every).await {
            Ok(renewals) => {
                self.backoff.worked(client);
                self.note_renewal();
                for (job, renewal) in jobs.iter().zip(renewals) {
                    if let Some(job) = job.upgrade() {
                        self.apply(&job, renewal, asked_at);
                    }
                }
                every
            }
            Err(error) => {
                let wait = self.backoff.failed(&error, client);
                for (job, heartbeat) in jobs.iter().zip(heartbeats) {
                    let Some(job) = job.upgrade() else { continue };
                    if let Some(progress) = heartbeat.progress {
                        job.attempt().return_progress(progress);
                    }
                    self.interrupt_if_expired(&job);
                }
                wait.min(every)
            }
        }
    }

    /// Notes that leases were renewed now, and reports a late renewal to the observer.
    fn note_renewal(&mut self) {
        let (client, now) = (self.shared.client(), self.shared.client().now());
        let after = now.since(self.last);
        if after > 2 * self.shared.settings().renew_every() {
            client.observe(|| Event::RenewedLate { after });
        }
        self.last = now;
    }

    fn apply(&self, job: &InFlightJob, renewal: Renewal, asked_at: Timestamp) {
        match renewal {
            Renewal::Held { cancel, .. } => {
                job.note_renewal(asked_at);
                if let Some(reason) = cancel.filter(|_| job.interrupt_reason().is_none()) {
                    self.interrupt(job, InterruptReason::Cancelled(reason.clone()));
                    self.shared.client().observe(|| Event::CancelRequested { job: job.facts(), reason });
                }
            }
            // An attempt that has ended may have been settled a moment ago, and one that was asked to stop knows.
            Renewal::Lost if job.has_ended() || job.interrupt_reason().is_some() => {}
            // A unit of work is committing the completion, or has: the settlement says how that ended. If the commit takes as long
            // as from one renewal to the next, the lease counts as lost.
            Renewal::Lost if job.attempt().is_completed() || job.doubt_completion() => {}
            Renewal::Lost => self.lost(job, "the lease was lost; the attempt is asked to stop"),
            // An answer of a newer contract: the lease is renewed again in time.
            _ => {}
        }
    }

    /// Interrupts a job whose lease must have expired while the queue could not be reached.
    fn interrupt_if_expired(&self, job: &InFlightJob) {
        let age = self.shared.client().now().since(job.renewed_at());
        if age >= job.lease().length && job.interrupt_reason().is_none() && !job.has_ended() {
            self.lost(job, "the lease could not be renewed in time; the attempt is asked to stop");
        }
    }

    fn lost(&self, job: &InFlightJob, message: &str) {
        let facts = job.facts();
        self.interrupt(job, InterruptReason::LeaseLost);
        tracing::warn!(
            service = self.shared.client().service(),
            job.id = %facts.id, job.name = %facts.name, fence = %facts.fence,
            "{message}"
        );
        self.shared.client().observe(|| Event::LeaseLost(facts));
    }

    fn interrupt(&self, job: &InFlightJob, reason: InterruptReason) {
        job.interrupt(reason, self.shared.client().now(), self.shared.settings().grace);
    }
}
