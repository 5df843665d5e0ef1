//! The rules of limits: live leases at one instant, and starts in a window.
//!
//! A lease is certainly live from the answer of its claim until the call of its settlement, as long as it has not expired. That
//! it has not expired by a certain step is known from a call that began later: the client read the clock after the step.

use std::collections::BTreeMap;

use queue_core::backend::StoredLimits;
use queue_core::{Fence, JobId, Limit, LimitScope, Partition, QueueLimits, QueueName, Timestamp};

use crate::history::History;
use crate::history::event::{Event, EventKind};
use crate::history::outcome::KnownOutcome;
use crate::history::violation::Violation;

/// Checks a history of a queue whose limits did not change.
///
/// See [the rules](super::super#the-rules). Weights are not checked. Jobs whose push is not in the history are left out.
///
/// # Errors
///
/// The first broken limit, with all events of the jobs that show it.
pub fn check_limits(history: &History, queue: &QueueName, limits: &QueueLimits) -> Result<(), Violation> {
    let mut stored = StoredLimits::default();
    stored.declare(limits);
    let clock = Clock::of(&history.events);
    let leases = Leases::of(history, queue);
    let mut scopes = vec![(LimitScope::Total, stored.total(), leases.all())];
    for (partition, leases) in leases.by_partition() {
        let limit = stored.of(&partition);
        scopes.push((LimitScope::One(partition), limit, leases));
    }
    for (scope, limit, leases) in scopes {
        check_running(&scope, limit, &leases, &clock)
            .and_then(|()| check_starts(&scope, limit, &leases))
            .map_err(|(rule, jobs)| Violation::new(rule, &jobs, &history.events))?;
    }
    Ok(())
}

/// A broken rule, and the jobs that show it.
type Broken = (String, Vec<JobId>);

/// One delivery, as far as limits are concerned.
#[derive(Clone, Debug)]
struct HeldLease {
    job: JobId,
    /// The instant of the delivery, by the backend's clock.
    started_at: Timestamp,
    /// The step at which the claim had been answered.
    from: u64,
    /// The step at which the first settlement was called that may have been applied.
    until: u64,
    /// The ends of the lease, each from the step on at which it was known.
    expiries: Vec<(u64, Timestamp)>,
}

impl HeldLease {
    fn is_live_at(&self, step: u64, clock: &Clock) -> bool {
        let expires_at = self.expiries.iter().filter(|(known, _)| *known <= step).map(|(_, at)| *at).max();
        self.from <= step && step < self.until && expires_at.is_some_and(|at| clock.is_before(step, at))
    }
}

/// The leases of a queue, by job and fence, with their partitions.
struct Leases(BTreeMap<(JobId, Fence), (Partition, HeldLease)>);

impl Leases {
    fn of(history: &History, queue: &QueueName) -> Self {
        let mut partitions = BTreeMap::new();
        for event in &history.events {
            if let EventKind::Pushed(pushed) = &event.kind
                && pushed.queue == *queue
            {
                partitions.insert(pushed.job, pushed.partition.clone());
            }
        }
        let mut leases = Self(BTreeMap::new());
        for event in &history.events {
            leases.add_claim(event, &partitions);
        }
        for event in &history.events {
            leases.add_end(event);
        }
        leases
    }

    fn add_claim(&mut self, event: &Event, partitions: &BTreeMap<JobId, Partition>) {
        let (EventKind::Claimed { lease, .. }, Some(end)) = (&event.kind, event.span.end) else { return };
        let Some(partition) = partitions.get(&lease.job) else { return };
        let held = HeldLease {
            job: lease.job,
            started_at: lease.expires_at.saturating_sub(lease.length),
            from: end.order,
            until: u64::MAX,
            expiries: vec![(end.order, lease.expires_at)],
        };
        self.0.insert((lease.job, lease.fence), (partition.clone(), held));
    }

    fn add_end(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Settled { lease, outcome, .. } if *outcome != KnownOutcome::Refused => {
                if let Some((_, held)) = self.0.get_mut(&(lease.job, lease.fence)) {
                    held.until = held.until.min(event.span.start.order);
                }
            }
            EventKind::Renewed { lease, held_until: Some(until) } => {
                if let Some((_, held)) = self.0.get_mut(&(lease.job, lease.fence)) {
                    held.expiries.push((event.span.last_order(), *until));
                }
            }
            _ => {}
        }
    }

    fn all(&self) -> Vec<HeldLease> {
        self.0.values().map(|(_, held)| held.clone()).collect()
    }

    fn by_partition(&self) -> BTreeMap<Partition, Vec<HeldLease>> {
        let mut all: BTreeMap<Partition, Vec<HeldLease>> = BTreeMap::new();
        for (partition, held) in self.0.values() {
            all.entry(partition.clone()).or_default().push(held.clone());
        }
        all
    }
}

/// The starts of all calls: the step of each, with the earliest time that a client read at that step or later.
struct Clock(Vec<(u64, Timestamp)>);

impl Clock {
    fn of(events: &[Event]) -> Self {
        let mut starts: Vec<_> =
            events.iter().map(|event| (event.span.start.order, event.span.start.queue_time)).collect();
        starts.sort_unstable();
        let mut earliest = Timestamp::MAX;
        for (_, time) in starts.iter_mut().rev() {
            earliest = earliest.min(*time);
            *time = earliest;
        }
        Self(starts)
    }

    /// Returns whether an instant had certainly not come at a step.
    fn is_before(&self, step: u64, instant: Timestamp) -> bool {
        let next = self.0.partition_point(|(start, _)| *start < step);
        self.0.get(next).is_some_and(|(_, time)| *time < instant)
    }
}

/// Checks the live leases at the answer of each claim: their number grows at no other step.
fn check_running(
    scope: &LimitScope,
    limit: Limit,
    leases: &[HeldLease],
    clock: &Clock,
) -> Result<(), Broken> {
    let Some(allowed) = limit.running else { return Ok(()) };
    let mut steps: Vec<_> = leases.iter().collect();
    steps.sort_by_key(|held| held.from);
    let mut active: Vec<&HeldLease> = Vec::new();
    for started in steps {
        let step = started.from;
        active.push(started);
        active.retain(|held| step < held.until);
        let live: Vec<_> =
            active.iter().filter(|held| held.is_live_at(step, clock)).map(|held| held.job).collect();
        if live.len() > allowed as usize {
            let rule = format!("{} jobs of {scope} ran at step {step}, and {limit} is the limit", live.len());
            return Err((rule, live));
        }
    }
    Ok(())
}

fn check_starts(scope: &LimitScope, limit: Limit, leases: &[HeldLease]) -> Result<(), Broken> {
    let Some(rate) = limit.rate else { return Ok(()) };
    let mut starts: Vec<_> = leases.iter().map(|held| (held.started_at, held.job)).collect();
    starts.sort_unstable();
    for window in starts.windows(rate.starts as usize + 1) {
        let [(first, _), .., (last, _)] = window else { continue };
        if *last < first.saturating_add(rate.per) {
            let jobs = window.iter().map(|(_, job)| *job).collect();
            let count = window.len();
            let rule =
                format!("{count} jobs of {scope} started from {first} to {last}, and {limit} is the limit");
            return Err((rule, jobs));
        }
    }
    Ok(())
}
