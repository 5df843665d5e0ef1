//! Partitions and limits are those of the job table, whatever the order of calls.

mod both;

use std::time::Duration;

use queue_core::{Limit, LimitScope, QueueLimits, Transition};

use crate::fixture::TestResult;
use both::Both;

/// The names of partitions; the empty one is that of the jobs that name none.
const PARTITIONS: [&str; 5] = ["", "a", "b", "c", "d"];

const QUEUES: [&str; 2] = ["one", "two"];

fn limit(random: &mut fastrand::Rng) -> Limit {
    let mut limit = Limit::weight(random.u32(1..4));
    if random.bool() {
        limit = limit.and_running(random.u32(0..4));
    }
    if random.bool() {
        let starts = random.u32(1..4);
        limit =
            limit.and_starts(starts, Duration::from_micros(random.u64(1..60))).burst(random.u32(1..=starts));
    }
    limit
}

fn scope(random: &mut fastrand::Rng) -> LimitScope {
    match random.u8(0..3) {
        0 => LimitScope::Queue,
        1 => LimitScope::Each,
        _ => LimitScope::Partition(PARTITIONS[random.usize(0..PARTITIONS.len())].into()),
    }
}

fn limits(random: &mut fastrand::Rng) -> QueueLimits {
    let mut limits = QueueLimits::none();
    for _ in 0..random.u8(0..4) {
        limits = limits.and(scope(random), limit(random));
    }
    limits
}

fn transition(both: &mut Both) -> Transition {
    let at = both.now.saturating_add(Duration::from_micros(both.random.u64(0..40)));
    match both.random.u8(0..9) {
        0..3 => Transition::complete(),
        3 => Transition::Discard { error: "no".into() },
        4 => Transition::Cancel { reason: "no".into() },
        5 => Transition::Retry { at, error: "no".into() },
        6 => Transition::Snooze { at, error: None },
        7 => Transition::Throttle { at },
        _ => Transition::Release,
    }
}

async fn step(both: &mut Both) -> TestResult {
    let queue = QUEUES[both.random.usize(0..QUEUES.len())];
    match both.random.u8(0..40) {
        0..10 => both.push(queue, &PARTITIONS).await,
        10..20 => both.claim(&QUEUES).await,
        20..27 => both.settle(&PARTITIONS, transition).await,
        27..33 => both.advance().await,
        33 => {
            let (scope, limit) = (scope(&mut both.random), limit(&mut both.random));
            let limit = both.random.bool().then_some(limit);
            both.set_limit(queue, &scope, limit).await
        }
        34 => {
            let limits = limits(&mut both.random);
            both.declare_limits(queue, &limits).await
        }
        35 => both.change_one().await,
        36 => both.change_many(queue, &PARTITIONS).await,
        37 => both.pause_or_resume(queue).await,
        38 => both.import(queue, &PARTITIONS).await,
        _ => both.renew().await,
    }
}

/// Q115–Q124: the same calls have the same results, in the same order.
#[tokio::test]
async fn partitions_and_limits_are_those_of_the_job_table() -> TestResult {
    let seeds = std::env::var("PARTITION_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(6);
    for seed in 0..seeds {
        let mut both = Both::new(seed).await?;
        for number in 0..300 {
            let result = match step(&mut both).await {
                Ok(()) => both.compare_usage(&QUEUES).await,
                failed => failed,
            };
            if let Err(error) = result {
                return Err(format!("seed {seed}, step {number}: {error}\n{}", last_calls(&both)).into());
            }
        }
        both.check_rows().await?;
    }
    Ok(())
}

fn last_calls(both: &Both) -> String {
    let log = &both.log;
    log[log.len().saturating_sub(25)..].join("\n")
}
