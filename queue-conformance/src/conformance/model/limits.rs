//! Random partitions, limits and requests for usage.

use std::time::Duration;

use fastrand::Rng;
use queue_core::admin::UsageRequest;
use queue_core::{Limit, LimitScope, Partition, QueueLimits, QueueName};

/// The partitions of the queues that have any. The first queue of the model has none, so that it stays plain for a while.
const PARTITIONS: [&str; 4] = ["", "p", "q", "r"];

/// The queue without partitions.
const PLAIN: &str = "a";

/// Returns the partition of a job in a queue.
pub(super) fn partition(random: &mut Rng, queue: &QueueName) -> Partition {
    let name = PARTITIONS[random.usize(0..PARTITIONS.len())];
    if queue.as_str() == PLAIN { Partition::NONE } else { Partition::new(name) }
}

/// Returns limits that a program declares, sometimes with a value that no queue may accept.
pub(super) fn declared(random: &mut Rng) -> QueueLimits {
    (0..random.usize(0..4)).fold(QueueLimits::none(), |limits, _| limits.and(scope(random), limit(random)))
}

/// Returns a part of a queue.
pub(super) fn scope(random: &mut Rng) -> LimitScope {
    match random.u32(0..4) {
        0 => LimitScope::Total,
        1 => LimitScope::Each,
        _ => LimitScope::One(Partition::new(PARTITIONS[random.usize(0..PARTITIONS.len())])),
    }
}

/// Returns a limit that seldom stops a queue for long.
pub(super) fn limit(random: &mut Rng) -> Limit {
    let mut limit = Limit::weight([1, 1, 2, 3, 7, 1000][random.usize(0..6)]);
    if random.bool() {
        limit = limit.and_running(random.u32(0..6));
    }
    if random.u32(0..3) > 0 {
        let starts = random.u32(1..6);
        let per = [1_000, 333_333, 1_000_000, 5_000_000, 20_000_000][random.usize(0..5)];
        limit = limit.and_starts(starts, Duration::from_micros(per)).burst(random.u32(1..=starts));
    }
    if random.u32(0..30) == 0 { limit.and_weight(0) } else { limit }
}

/// Returns a request for the usage of a queue.
pub(super) fn usage(random: &mut Rng, queue: QueueName) -> UsageRequest {
    let request = UsageRequest::of(queue).limit(random.usize(1..6));
    if random.bool() { request } else { request.partition(PARTITIONS[random.usize(0..PARTITIONS.len())]) }
}
