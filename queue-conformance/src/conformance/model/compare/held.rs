//! The reasons of a job as they are compared: those of limits are made from the usage that the model returns.

use queue_core::admin::{Filter, PageRequest, Reason, Usage, UsageRequest};
use queue_core::table::JobTable;
use queue_core::{JobRecord, LimitScope, State, Timestamp, WorkerId};

/// Of how many running jobs `explain` reads the workers.
const MOST_HOLDERS: usize = 10;

/// A reason of a job.
#[derive(Debug, PartialEq)]
pub(super) enum ReasonView {
    /// A limit allows no more running jobs: its scope, the running and the allowed jobs, and their workers.
    AtLimit(LimitScope, u64, u32, Vec<WorkerId>),
    /// A rate or a hold: its scope and its end.
    RateLimited(LimitScope, Timestamp),
    Other(Reason),
}

/// Returns the reasons as they are compared.
pub(super) fn views(reasons: Vec<Reason>) -> Vec<ReasonView> {
    reasons.into_iter().map(ReasonView::of).collect()
}

impl ReasonView {
    fn of(reason: Reason) -> Self {
        match reason {
            Reason::AtLimit { scope, running, allowed, workers, .. } => {
                Self::AtLimit(scope, running, allowed, workers)
            }
            Reason::RateLimited { scope, until, .. } => Self::RateLimited(scope, until),
            other => Self::Other(other),
        }
    }
}

/// Adds the limits that hold a ready job. The job then does not wait for a free worker only.
pub(super) fn add(
    model: &mut JobTable,
    now: Timestamp,
    job: &JobRecord,
    reasons: Vec<ReasonView>,
) -> Vec<ReasonView> {
    if job.state != State::Available {
        return reasons;
    }
    let usage = model.usage(now, &UsageRequest::of(&job.queue).partition(&job.partition).limit(1));
    let mut limits = of_scope(model, now, job, LimitScope::Total, &usage.total);
    for listed in &usage.partitions {
        let scope = LimitScope::One(listed.partition.clone());
        limits.extend(of_scope(model, now, job, scope, &listed.usage));
    }
    let waits = |reason: &ReasonView| matches!(reason, ReasonView::Other(Reason::Waiting { .. }));
    let is_held = !limits.is_empty();
    reasons.into_iter().filter(|reason| !is_held || !waits(reason)).chain(limits).collect()
}

fn of_scope(
    model: &mut JobTable,
    now: Timestamp,
    job: &JobRecord,
    scope: LimitScope,
    usage: &Usage,
) -> Vec<ReasonView> {
    let mut reasons = Vec::new();
    if let Some(allowed) = usage.limit.running.filter(|most| usage.running >= u64::from(*most)) {
        let workers = holders(model, now, job, &scope);
        reasons.push(ReasonView::AtLimit(scope.clone(), usage.running, allowed, workers));
    }
    reasons.extend(usage.next_start.map(|until| ReasonView::RateLimited(scope, until)));
    reasons
}

/// Returns the workers that run the jobs under a limit.
fn holders(model: &mut JobTable, now: Timestamp, job: &JobRecord, scope: &LimitScope) -> Vec<WorkerId> {
    let mut filter = Filter::all().queue(&job.queue).state(State::Executing);
    if let LimitScope::One(partition) = scope {
        filter = filter.partition(partition);
    }
    let running = model.list(now, &filter, &PageRequest::first(MOST_HOLDERS)).map(|page| page.jobs);
    let mut workers: Vec<_> =
        running.unwrap_or_default().into_iter().filter_map(|job| job.claimed_by).collect();
    workers.sort();
    workers.dedup();
    workers
}
