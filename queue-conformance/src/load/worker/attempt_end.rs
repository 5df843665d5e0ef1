//! How an attempt ends: at random, usually well.

use std::time::{Duration, SystemTime};

use fastrand::Rng;
use queue_core::{Delivery, QueueError, Settlement, Timestamp, Transition};

use crate::history::{EventKind, KnownOutcome, Pushed};
use crate::load::Load;

/// A settlement, and the records of its followups.
pub(super) struct AttemptEnd {
    pub(super) settlement: Settlement,
    followups: Vec<Pushed>,
}

impl AttemptEnd {
    /// Returns the events of the settlement, given its outcome.
    pub(super) fn kinds(&self, outcome: KnownOutcome) -> Vec<EventKind> {
        let Settlement { lease, transition, .. } = &self.settlement;
        let settled = EventKind::Settled { lease: lease.clone(), transition: transition.clone(), outcome };
        let followups =
            self.followups.iter().cloned().map(|pushed| EventKind::Pushed(Pushed { outcome, ..pushed }));
        std::iter::once(settled).chain(followups).collect()
    }
}

/// Chooses how an attempt ends. `None` leaves its lease to expire.
pub(super) fn choose(
    load: &Load,
    delivery: Delivery,
    random: &mut Rng,
) -> Result<Option<AttemptEnd>, QueueError> {
    let at = Timestamp::from(SystemTime::now()).saturating_add(Duration::from_millis(random.u64(0..600)));
    let transition = match random.u32(0..100) {
        0..2 => return Ok(None),
        2..12 if delivery.attempt < delivery.max_attempts => {
            Transition::Retry { at, error: "no → not yet".into() }
        }
        12 if load.has_partitions() => Transition::Throttle { at },
        12..15 => Transition::Snooze { at, error: None },
        15..18 => Transition::Snooze { at, error: Some("unknown".into()) },
        18..24 => Transition::Release,
        24..28 => Transition::Discard { error: "never".into() },
        28..32 => Transition::Cancel { reason: "given up".into() },
        _ => Transition::complete(),
    };
    let settlement = Settlement::new(delivery.lease, transition);
    if random.u32(0..12) > 0 {
        return Ok(Some(AttemptEnd { settlement, followups: Vec::new() }));
    }
    let jobs: Vec<_> = load.batch(random, 2)?.into_iter().map(without_key).collect();
    let follows = Some((settlement.lease.job, settlement.lease.fence));
    let followups = Pushed::batch(&jobs).into_iter().map(|pushed| Pushed { follows, ..pushed }).collect();
    Ok(Some(AttemptEnd { settlement: settlement.followups(jobs), followups }))
}

/// Removes the unique key: a settlement's answer doesn't say which followups' keys were taken.
fn without_key(mut job: queue_core::NewJob) -> queue_core::NewJob {
    job.unique = None;
    job
}
