//! The record of the acknowledged jobs and of the queues in which jobs ran, and its judgement.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use queue_core::admin::Filter;
use queue_core::{AdminExt as _, BoxError, JobId, JobRecord, QueueName, State};
use queue_postgres::PostgresQueue;
use queue_postgres::sqlx::{self, PgConnection};
use tokio::time::sleep;

use super::PATIENCE;
use crate::report::Report;

/// The record that the producers, the jobs and the scenario share.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Mutex<Entries>,
    failures: AtomicU64,
    is_over: AtomicBool,
}

#[derive(Debug, Default)]
struct Entries {
    names: Vec<String>,
    acknowledged: Vec<Acknowledged>,
    runs: HashMap<String, u64>,
    /// Jobs that ran in another queue than the one they were pushed to.
    misplaced: Vec<String>,
}

/// An acknowledged job.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledged {
    job: JobId,
    queue: String,
    /// When the producer received the answer.
    pub(crate) at: Instant,
}

impl Ledger {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds queues that producers push to.
    pub(crate) fn add_names(&self, names: &[String]) {
        self.entries().names.extend_from_slice(names);
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.entries().names.clone()
    }

    pub(super) fn acknowledge(&self, jobs: Vec<(JobId, String)>) {
        let at = Instant::now();
        let acknowledged = jobs.into_iter().map(|(job, queue)| Acknowledged { job, queue, at });
        self.entries().acknowledged.extend(acknowledged);
    }

    /// Records a run of a job that was pushed to `queue`, with the queue that its worker names.
    pub(super) fn ran(&self, job: JobId, queue: &str, ran_in: &QueueName) {
        let mut entries = self.entries();
        *entries.runs.entry(queue.to_owned()).or_default() += 1;
        if *ran_in != *queue {
            entries.misplaced.push(format!("job {job} was pushed to `{queue}` and ran in `{ran_in}`"));
        }
    }

    pub(super) fn push_failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends the producers.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Waits until each of these queues has acknowledged `least` more jobs and run as many.
    pub(crate) async fn wait_for_progress(&self, names: &[String], least: u64) -> Result<(), BoxError> {
        let progress = |name: &String| {
            let entries = self.entries();
            let acknowledged =
                entries.acknowledged.iter().filter(|entry| entry.queue == *name).count() as u64;
            (acknowledged, entries.runs.get(name).copied().unwrap_or_default())
        };
        let before: Vec<_> = names.iter().map(progress).collect();
        let deadline = Instant::now() + PATIENCE;
        for (name, (acknowledged, runs)) in names.iter().zip(before) {
            loop {
                let now = progress(name);
                if now.0 >= acknowledged + least && now.1 >= runs + least {
                    break;
                }
                if Instant::now() > deadline {
                    return Err(format!("the queue `{name}` did not continue within {PATIENCE:?}").into());
                }
                sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(())
    }

    /// Compares the jobs that the queue lists at the end with the acknowledged ones. `is_kept` returns whether the server must still
    /// have a job.
    pub(crate) async fn judge(
        &self,
        queue: &PostgresQueue,
        database: &mut PgConnection,
        is_kept: impl Fn(&Acknowledged) -> bool,
        report: Report,
    ) -> Result<Report, BoxError> {
        let listed = queue.list_all(&Filter::all()).await?;
        let written: Vec<sqlx::types::Uuid> =
            sqlx::query_scalar("select job from written").fetch_all(database).await?;
        let records: HashMap<JobId, &JobRecord> = listed.iter().map(|record| (record.id, record)).collect();
        let mut violations = unended(&listed);
        violations.extend(unmatched(&listed, written));
        let entries = self.entries();
        violations.extend(entries.misplaced.iter().cloned());
        let kept: Vec<_> = entries.acknowledged.iter().filter(|entry| is_kept(entry)).collect();
        violations.extend(kept.iter().filter_map(|entry| missing(entry, &records)));
        let report = report
            .row("jobs acknowledged", entries.acknowledged.len())
            .row("of which the server must have kept", kept.len())
            .row("pushes that failed and were repeated", self.failures.load(Ordering::Relaxed))
            .row("runs", entries.runs.values().sum::<u64>())
            .row("jobs stored at the end", listed.len());
        match violations.first() {
            None => Ok(report.row("verdict", "nothing was lost, discarded or misplaced")),
            Some(first) => {
                println!("{report}");
                Err(format!("{} violations; the first: {first}", violations.len()).into())
            }
        }
    }
}

fn unended(listed: &[JobRecord]) -> Vec<String> {
    let unended = listed.iter().filter(|record| record.state != State::Completed);
    unended.map(|record| format!("job {} is {:?}: {:?}", record.id, record.state, record.errors)).collect()
}

/// Compares the application's rows with the completed jobs that write one each.
fn unmatched(listed: &[JobRecord], written: Vec<sqlx::types::Uuid>) -> Vec<String> {
    let mut rows: HashMap<JobId, usize> = HashMap::new();
    for job in written {
        *rows.entry(JobId::from_u128(job.as_u128())).or_default() += 1;
    }
    let writers = listed.iter().filter(|record| record.name == *"write");
    let mut unmatched = Vec::new();
    for record in writers {
        let count = rows.remove(&record.id).unwrap_or_default();
        if count != 1 {
            unmatched.push(format!("job {} completed and has {count} rows", record.id));
        }
    }
    unmatched.extend(rows.keys().map(|job| format!("there is a row of job {job}, which did not complete")));
    unmatched
}

/// Returns what is wrong if an acknowledged job is not in the queue that it was pushed to.
fn missing(entry: &Acknowledged, records: &HashMap<JobId, &JobRecord>) -> Option<String> {
    let Acknowledged { job, queue, .. } = entry;
    match records.get(job) {
        None => Some(format!("job {job} was acknowledged in `{queue}`, and is missing")),
        Some(record) if record.queue != **queue => {
            Some(format!("job {job} was acknowledged in `{queue}`, and is in `{}`", record.queue))
        }
        Some(_) => None,
    }
}
