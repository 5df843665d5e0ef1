//! The starts of jobs under a limit on starts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use harness::{BATCH, Figures, Metric, Scratch, Tally, WORKERS};
use queue_core::{
    JobContext, Limit, NewJob, Partition, Queue as _, QueueLimits, QueueName, Rate, Services, Timestamp,
    background_job, jobs,
};
use queue_tokio::{Host, QueueService};

use crate::systems::Store;

const PARTITIONS: u64 = 100;
const SECOND: Duration = Duration::from_secs(1);

/// Runs `jobs` ready jobs of 100 partitions, of each of which at most `in_a_second` may start in any second.
///
/// It fails if more start in a second, by the instants of their claims and the clock of the backend, by which the limit counts.
pub(super) async fn measure<S: Store>(in_a_second: u32, jobs: u64) -> anyhow::Result<Figures> {
    let tally = Tally::of(jobs);
    let scratch = Scratch::new(jobs as usize);
    let queue = S::open(&scratch, tally).await?.queue();
    let limits = QueueLimits::each(Limit::starts(in_a_second, SECOND));
    queue.declare_limits(&QueueName::DEFAULT, &limits).await?;
    for first in (0..jobs).step_by(BATCH as usize) {
        queue.push((first..jobs.min(first + BATCH)).map(job).collect()).await?;
    }

    let starts = Starts::default();
    let service = QueueService::new(queue, jobs![note_start]).concurrency(WORKERS);
    let services = Services::builder().singleton(tally).singleton(starts.clone()).build()?;
    let running = Host::builder().services(services).service(service).build()?.start().await?;
    tally.finished().await?;
    running.stop().await?;
    figures(&starts.take(), Rate::new(in_a_second, SECOND), jobs)
}

fn job(user_id: u64) -> NewJob {
    NewJob::from(note_start::new(user_id)).partition(format!("tenant-{}", user_id % PARTITIONS))
}

/// Notes when it was claimed.
#[background_job]
async fn note_start(
    #[inject] tally: &Tally,
    #[inject] starts: &Starts,
    #[inject] context: &JobContext,
    user_id: u64,
) {
    let delivery = context.delivery();
    if let Some(claimed_at) = delivery.lease.claimed_at() {
        starts.note(&delivery.partition, claimed_at);
    }
    tally.run(user_id, "");
}

/// The starts of each partition.
type StartsByPartition = BTreeMap<Partition, Vec<Timestamp>>;

/// Collects starts; clones share them.
#[derive(Clone, Debug, Default)]
struct Starts(Arc<Mutex<StartsByPartition>>);

impl Starts {
    /// Adds a start.
    fn note(&self, partition: &Partition, at: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(partition.clone()).or_default().push(at);
    }

    /// Returns all starts, and removes them.
    fn take(&self) -> StartsByPartition {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Returns the figures of the starts.
///
/// # Errors
///
/// More jobs started in a window than the rate allows, or not every job started once.
fn figures(starts: &StartsByPartition, rate: Rate, jobs: u64) -> anyhow::Result<Figures> {
    let all: Vec<_> = starts.values().flatten().copied().collect();
    ensure!(all.len() as u64 == jobs, "{} starts of {jobs} jobs", all.len());
    let mut most = 0;
    for (partition, starts) in starts {
        let within = most_in_a_window(starts, rate.per);
        ensure!(
            within <= rate.starts as usize,
            "{within} jobs of {partition} started in a window of {:?}: the limit is {}",
            rate.per,
            rate.starts
        );
        most = most.max(within);
    }
    let (first, last) = (all.iter().min(), all.iter().max());
    let took = last.zip(first).map(|(last, first)| last.since(*first)).context("no job started")?;
    let spaced = took.as_micros() as f64 / rate.interval() as f64;
    let allowed = starts.len() as f64 * (f64::from(rate.burst) + spaced.floor());
    Ok(Figures::default()
        .with(Metric::Rate, jobs as f64 / took.as_secs_f64())
        .with(Metric::MostStarts, most as f64)
        .with(Metric::Reached, jobs as f64 / allowed))
}

/// Returns the greatest number of starts in any window of length `per`, wherever it begins.
fn most_in_a_window(starts: &[Timestamp], per: Duration) -> usize {
    let mut starts = starts.to_vec();
    starts.sort_unstable();
    let (mut most, mut first) = (0, 0);
    for (last, at) in starts.iter().enumerate() {
        while starts.get(first).is_some_and(|begin| at.since(*begin) >= per) {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(millis * 1_000)
    }

    fn of_one(millis: &[i64]) -> StartsByPartition {
        BTreeMap::from([(Partition::new("acme"), millis.iter().copied().map(at).collect())])
    }

    #[test]
    fn a_window_begins_anywhere_and_does_not_contain_its_end() {
        let table: [(&[i64], usize); 5] = [
            (&[], 0),
            (&[0, 1_000, 2_000], 1),
            (&[0, 999, 1_998], 2),
            (&[900, 0, 1_100, 1_000], 3),
            (&[5, 5, 5], 3),
        ];

        for (millis, most) in table {
            let starts: Vec<_> = millis.iter().copied().map(at).collect();
            assert_eq!(most_in_a_window(&starts, SECOND), most, "{millis:?}");
        }
    }

    #[test]
    fn one_start_too_many_fails_the_measurement() {
        let rate = Rate::new(2, SECOND);

        assert!(figures(&of_one(&[0, 500, 1_000]), rate, 3).is_ok());
        let error = figures(&of_one(&[0, 500, 999]), rate, 3).unwrap_err();
        assert!(error.to_string().starts_with("3 jobs of acme started"), "{error}");
        assert!(figures(&of_one(&[0, 500]), rate, 3).is_err(), "a job never started");
    }

    #[test]
    fn all_that_a_rate_allows_is_a_share_of_one() {
        let rate = Rate::new(2, SECOND);
        let reached = |millis: &[i64]| {
            figures(&of_one(millis), rate, millis.len() as u64).unwrap().value(Metric::Reached).unwrap()
        };

        assert_eq!(reached(&[0, 500, 1_000]), 1.0);
        assert_eq!(reached(&[0, 500, 1_500]), 0.75);
    }
}
