//! Limits over restarts, and under workers that are killed (D36).
//!
//! The workers are those of D5: they claim, hold, renew and settle at random, and each writes a journal. After the last kill,
//! `history::check_limits` reads all journals: no instant had more live leases than allowed, and no window more starts.

use std::time::Duration;

use queue_core::admin::{QueueUsage, UsageRequest};
use queue_core::{
    Admin, Demand, Limit, LimitScope, NewJob, Partition, QueueErrorKind, QueueLimits, QueueName, Settlement,
    Transition,
};

use super::harness::StoreHarness;
use super::killed_load::{Fleet, drain};
use crate::conformance::jobs::job;
use crate::history::{self, Event, EventKind, History, KnownOutcome, LogTime, Pushed, Span};
use crate::load;

const HOUR: Duration = Duration::from_secs(3600);

/// The number of jobs that the workers run, and of workers that are killed meanwhile.
const JOBS: usize = 120;
const KILLS: usize = 6;

const PARTITIONS: [&str; 4] = ["", "a", "b", "r"];

pub(super) async fn d36_limits_survive_a_restart_and_killed_workers(harness: &StoreHarness) {
    let queue = harness.open().await;
    if !has_limits(harness, &*queue).await {
        return;
    }
    everything_is_remembered(harness, &*queue).await;
    // Some jobs of that store never end.
    workers_are_killed(&harness.afresh().await).await;
}

/// Returns whether an empty store has limits. Otherwise, checks that it refuses them.
pub(super) async fn has_limits(harness: &StoreHarness, queue: &dyn Admin) -> bool {
    let name = QueueName::DEFAULT;
    harness.steps().note("`limits` of an empty queue");
    match queue.limits(&name).await {
        Ok(limits) => {
            assert!(limits.is_empty(), "an empty queue has limits: {limits:?}");
            true
        }
        Err(error) if error.kind() == QueueErrorKind::Unsupported => {
            let limits = QueueLimits::total(Limit::running(1));
            let declare = queue.declare_limits(&name, &limits);
            harness.steps().fails_with(QueueErrorKind::Unsupported, "`declare_limits`", declare).await;
            false
        }
        Err(error) => panic!("`limits` failed: {error}"),
    }
}

/// Declares and sets limits, uses them up, and opens the store again.
async fn everything_is_remembered(harness: &StoreHarness, queue: &dyn Admin) {
    let (steps, name) = (harness.steps(), QueueName::new("remembered"));
    let limits = QueueLimits::each(Limit::running(1)).and_partition("rate", Limit::starts(1, HOUR));
    steps.ok("`declare_limits`", queue.declare_limits(&name, &limits)).await;
    let set = queue.set_limit(&name, &LimitScope::Total, Some(Limit::running(9)));
    steps.ok("`set_limit`", set).await;
    let partitions = ["held", "held", "rate", "rate", "full", "full"];
    let pushed = partitions.iter().map(|partition| job(0).queue(&name).partition(*partition));
    harness.push(queue, pushed.collect()).await;
    let demand = Demand::new(name.clone(), 9).lease(HOUR).wait(Duration::ZERO);
    let claimed = steps.ok("a claim", queue.claim(&demand)).await;
    let partitions: Vec<_> = claimed.iter().map(|delivery| delivery.partition.as_str()).collect();
    assert!(partitions == ["held", "rate", "full"], "one job of each partition must start: {partitions:?}");
    let at = claimed[0].lease.expires_at;
    let ends = [Transition::Throttle { at }, Transition::complete()];
    let ends = claimed.iter().zip(ends).map(|(delivery, end)| Settlement::new(delivery.lease.clone(), end));
    steps.ok("a settlement", queue.settle(ends.collect())).await;
    let before = usage(harness, queue, &name).await;

    let reopened = harness.open().await;

    let after = usage(harness, &*reopened, &name).await;
    assert!(
        (before.total, &before.partitions) == (after.total, &after.partitions),
        "the usage before the store was opened again is {before:?}, and then {after:?}"
    );
    let records = [queue, &*reopened].map(|queue| queue.limits(&name));
    let [before, after] = records.map(|limits| steps.ok("`limits`", limits));
    let (before, after) = (before.await, after.await);
    assert!(before.len() == 3 && before == after, "the limits are {before:?}, and after a restart {after:?}");
    let more = steps.ok("a claim after a restart", reopened.claim(&demand)).await;
    assert!(more.is_empty(), "no partition may start a job after a restart, and {more:?} were delivered");
}

async fn usage(harness: &StoreHarness, queue: &dyn Admin, name: &QueueName) -> QueueUsage {
    let request = UsageRequest::of(name);
    harness.steps().ok("`usage`", async { queue.usage(&request).await }).await
}

/// Kills workers, lets the others finish all jobs, and reads their journals.
async fn workers_are_killed(harness: &StoreHarness) {
    let queue = harness.open().await;
    let limits = QueueLimits::total(Limit::running(6)).and_each(Limit::running(2));
    let rate = Limit::starts(5, Duration::from_millis(500)).burst(2);
    let declared = limits.and_partition("r", rate).and_partition("b", Limit::running(9));
    let name = QueueName::DEFAULT;
    harness.steps().ok("`declare_limits`", queue.declare_limits(&name, &declared)).await;
    let scope = LimitScope::One(Partition::new("b"));
    let set = queue.set_limit(&name, &scope, Some(Limit::running(1)));
    harness.steps().ok("`set_limit`", set).await;
    let pushed = push(harness, &*queue).await;
    let mut fleet = Fleet::start(harness, 0);
    for _ in 0..KILLS {
        fleet.kill_one_later().await;
    }
    drain(harness, &*queue).await;
    fleet.stop(true).await;

    let events = pushed.into_iter().chain(fleet.events()).collect();
    let in_force = declared.and(scope, Limit::running(1));
    let history = History { events, last: Vec::new() };
    if let Err(violation) = history::check_limits(&history, &name, &in_force) {
        panic!("{violation}");
    }
    let usage = usage(harness, &*harness.open().await, &name).await;
    let is_idle = |ready, running| (ready, running) == (0, 0);
    assert!(
        is_idle(usage.total.ready, usage.total.running)
            && usage.partitions.iter().all(|listed| is_idle(listed.usage.ready, listed.usage.running)),
        "all jobs have ended, and the usage has more: {usage:?}"
    );
}

/// Pushes the jobs, and returns the events: they came before all others.
async fn push(harness: &StoreHarness, queue: &dyn Admin) -> Vec<Event> {
    let mut random = fastrand::Rng::new();
    let mut jobs: Vec<NewJob> = Vec::new();
    while jobs.len() < JOBS {
        let batch = load::batch(&mut random, 20).unwrap_or_else(|error| panic!("no payload: {error}"));
        for mut job in batch {
            job.unique = None;
            jobs.push(job.partition(PARTITIONS[random.usize(0..PARTITIONS.len())]));
        }
    }
    let pushed = Pushed::batch(&jobs);
    harness.push(queue, jobs).await;
    let first = LogTime { order: 0, queue_time: queue_core::Timestamp::EPOCH };
    let event = |pushed| Event { span: Span::since(first).until(first), kind: EventKind::Pushed(pushed) };
    pushed.into_iter().map(|pushed| event(Pushed { outcome: KnownOutcome::Applied, ..pushed })).collect()
}
