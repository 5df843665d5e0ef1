//! The findings of a diagnosis: the problems of a store, each with its cure.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::announcement::WorkerRecord;
use crate::contract::record::JobRecord;

/// A problem of a store, or a fact that an operator should know: see [`Admin::diagnose`](crate::Admin::diagnose).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// The check that found it.
    pub check: Check,
    /// Its severity.
    pub severity: Severity,
    /// The problem, as a sentence.
    pub what: String,
    /// The cure, as a sentence or a statement to run.
    pub cure: String,
}

/// A check of a diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Check {
    /// The tables, indexes and functions are those that this program creates.
    Schema,
    /// An acknowledged push survives what the store's documentation says.
    Durability,
    /// The rows of the tables agree with one another.
    Integrity,
    /// The clocks of the store and of this program agree.
    Clock,
    /// The workers that hold leases are running.
    Workers,
    /// The store can remove what it no longer needs.
    Maintenance,
}

/// The severity of a finding, in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// Nothing is wrong, or a check could not be made.
    Note,
    /// Jobs run, and something may go wrong.
    Warning,
    /// Jobs are lost or stuck, or can be.
    Fault,
}

impl Finding {
    /// Creates a finding.
    pub fn new(check: Check, severity: Severity, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { check, severity, what: what.into(), cure: cure.into() }
    }

    /// The most executing jobs that [`Admin::diagnose`](crate::Admin::diagnose) reads.
    pub(crate) const MOST_LEASES: usize = 10_000;

    /// Returns the findings about workers: those that have vanished and hold leases of these executing jobs.
    pub(crate) fn of_workers(workers: &[WorkerRecord], executing: &[JobRecord]) -> Vec<Self> {
        let vanished = workers.iter().filter(|worker| !worker.is_live);
        vanished.filter_map(|worker| Self::of_vanished(worker, executing)).collect()
    }

    fn of_vanished(worker: &WorkerRecord, executing: &[JobRecord]) -> Option<Self> {
        let held = executing.iter().filter(|job| job.claimed_by.as_ref() == Some(&worker.worker));
        let held: Vec<_> = held.collect();
        let (first, last) = (held.first()?, held.iter().filter_map(|job| job.lease_expires_at).max()?);
        let what = format!(
            "worker {} has vanished, and holds {} of job {}",
            worker.worker,
            if held.len() == 1 {
                "1 lease, that".to_owned()
            } else {
                format!("{} leases, such as that", held.len())
            },
            first.id
        );
        let cure = format!(
            "start a worker, if none runs: the jobs run again when the leases have expired, {} s from the last announcement at the latest",
            last.since(worker.seen_at).as_secs()
        );
        Some(Self::new(Check::Workers, Severity::Warning, what, cure))
    }
}

impl Check {
    /// Returns the name of the check, as it is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Durability => "durability",
            Self::Integrity => "integrity",
            Self::Clock => "clock",
            Self::Workers => "workers",
            Self::Maintenance => "maintenance",
        }
    }
}

impl Severity {
    /// Returns the name of the severity, as it is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// `fault (schema): the index jobs_id is missing; create it again: …`
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}; {}", self.severity, self.check, self.what, self.cure)
    }
}
