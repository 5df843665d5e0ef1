//! The leases of the jobs that a kit holds, which it renews as the hosted loop does.

use std::collections::HashMap;
use std::time::Duration;

use queue_core::{InterruptReason, Lease, Renewal, Timestamp};

use super::TestKit;
use super::held::Held;

/// How often leases are renewed while an attempt runs in real time. A lease can't expire meanwhile, since its clock stands
/// still; a renewal brings the requests to cancel a job.
pub(super) const REAL_INTERVAL: Duration = Duration::from_millis(100);

impl TestKit {
    /// Returns when leases are renewed next, if any job is held.
    pub(super) fn renew_at(&self) -> Option<Timestamp> {
        let progress = self.progress();
        (progress.running.is_some() || !progress.held.is_empty()).then_some(progress.renew_at)
    }

    /// Renews the leases of all held jobs. A held job whose lease is lost is dropped; the running one is interrupted.
    pub(super) async fn keep_leases(&self) {
        let heartbeats: Vec<_> = {
            let mut progress = self.progress();
            progress.renew_at = self.now().saturating_add(Lease::DEFAULT_LENGTH / 3);
            progress.held.iter().chain(&progress.running).map(Held::heartbeat).collect()
        };
        if heartbeats.is_empty() {
            return;
        }
        let Some(renewals) = self.queue.renew_held(&heartbeats).await else { return };
        let leases = heartbeats.iter().map(|heartbeat| (heartbeat.lease.job, heartbeat.lease.fence));
        let renewals: HashMap<_, _> = leases.zip(renewals).collect();
        let mut progress = self.progress();
        let answer = |held: &Held| renewals.get(&(held.lease().job, held.lease().fence));
        progress.held.retain(|held| match answer(held) {
            Some(Renewal::Held { cancel: Some(reason), .. }) => {
                held.attempt.interrupt().request(InterruptReason::Cancelled(reason.clone()));
                true
            }
            Some(Renewal::Held { cancel: None, .. }) => true,
            _ => false,
        });
        let Some(running) = &progress.running else { return };
        match answer(running) {
            Some(Renewal::Held { cancel: Some(reason), .. }) => {
                running.attempt.interrupt().request(InterruptReason::Cancelled(reason.clone()));
            }
            Some(Renewal::Lost) => running.attempt.interrupt().request(InterruptReason::LeaseLost),
            _ => {}
        }
    }
}
