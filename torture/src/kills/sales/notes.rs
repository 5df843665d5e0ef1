//! The notes of an application about its pushes, and their judgement once every job has finished.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use queue_core::{BoxError, JobId, JobRecord, NewJob, Receipt, State};
use serde::{Deserialize, Serialize};

use super::{postgres, sqlite};
use crate::queue::Location;
use crate::report::Report;

/// The notes of one process, one line per change.
#[derive(Debug)]
pub(in super::super) struct Notes(File);

/// The state of a push. The last line about a push counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Note {
    /// The id that the push chose.
    push: JobId,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Fate {
    /// The transaction began, and may have committed.
    Unknown,
    /// The transaction committed, and its receipt names this job.
    Committed(JobId),
    RolledBack,
}

impl Notes {
    /// Creates the notes next to a journal.
    pub(in super::super) fn create(journal: &Path) -> std::io::Result<Self> {
        File::options().create_new(true).append(true).open(path(journal)).map(Self)
    }

    /// Records a transaction that is about to begin.
    pub(in super::super) fn begin(&self, jobs: &[NewJob]) -> Result<Vec<JobId>, BoxError> {
        let pushes: Vec<JobId> = jobs.iter().filter_map(|job| job.id).collect();
        self.write(pushes.iter().map(|push| (*push, Fate::Unknown)))?;
        Ok(pushes)
    }

    /// Records that the transaction committed.
    pub(in super::super) fn committed(&self, pushes: &[JobId], receipts: &[Receipt]) -> Result<(), BoxError> {
        self.write(pushes.iter().zip(receipts).map(|(push, receipt)| (*push, Fate::Committed(receipt.id()))))
    }

    /// Records that the transaction was rolled back.
    pub(in super::super) fn rolled_back(&self, pushes: &[JobId]) -> Result<(), BoxError> {
        self.write(pushes.iter().map(|push| (*push, Fate::RolledBack)))
    }

    /// Writes by one call, so that all lines of a killed process but the last are whole.
    fn write(&self, fates: impl Iterator<Item = (JobId, Fate)>) -> Result<(), BoxError> {
        let mut lines = Vec::new();
        for (push, fate) in fates {
            serde_json::to_writer(&mut lines, &Note { push, fate })?;
            lines.push(b'\n');
        }
        Ok((&self.0).write_all(&lines)?)
    }
}

fn path(journal: &Path) -> PathBuf {
    journal.with_extension("notes")
}

/// Reads the notes next to all journals.
fn read(journals: &[PathBuf]) -> Result<HashMap<JobId, Fate>, BoxError> {
    let mut fates = HashMap::new();
    for path in journals.iter().map(|journal| path(journal)).filter(|path| path.exists()) {
        let text = fs::read_to_string(path)?;
        // A line without its end was cut off by a kill.
        let whole = text.rfind('\n').map_or("", |end| text.get(..end).unwrap_or_default());
        for line in whole.lines() {
            let note: Note = serde_json::from_str(line)?;
            fates.insert(note.push, note.fate);
        }
    }
    Ok(fates)
}

/// Compares the final state of the jobs with the notes and with the application's table.
pub(in super::super) async fn judge(
    location: &Location,
    listed: &[&JobRecord],
    journals: &[PathBuf],
    report: Report,
) -> Result<Report, BoxError> {
    let fates = read(journals)?;
    let mut rows: HashMap<String, usize> = HashMap::new();
    let sold = match location {
        Location::Database(url) => postgres::sold(url).await?,
        Location::File(file) => sqlite::sold(file)?,
    };
    for job in &sold {
        *rows.entry(job.clone()).or_default() += 1;
    }
    let records: HashMap<JobId, &JobRecord> = listed.iter().map(|record| (record.id, *record)).collect();
    let mut violations: Vec<String> =
        fates.iter().filter_map(|(push, fate)| lost(*push, *fate, &records)).collect();
    let mut sales = 0;
    for record in listed {
        if record.state != State::Completed {
            violations
                .push(format!("job {} of `sales` is {:?}: {:?}", record.id, record.state, record.errors));
        } else if record.name == *"sell" {
            sales += 1;
            let count = rows.remove(&record.id.to_string()).unwrap_or_default();
            if count != 1 {
                violations.push(format!("unit of work {} completed and wrote {count} rows", record.id));
            }
        } else if record.name == *"draft" {
            violations.extend(misreplaced(record, &fates)?);
        }
    }
    violations.extend(rows.keys().map(|job| format!("the row of {job} has no completed unit of work")));
    let replaced = fates.iter().filter(|(push, fate)| is_replacement(**push, **fate, &records)).count();
    let attempts: u64 = listed.iter().map(|record| u64::from(record.attempt)).sum();
    let report = report
        .row("units of work completed", sales)
        .row("rows that they wrote", sold.len())
        .row("failed attempts of these jobs", attempts.saturating_sub(listed.len() as u64))
        .row("replacements within transactions", replaced);
    match violations.first() {
        None => Ok(report),
        Some(first) => {
            println!("{report}");
            Err(format!("{} violations in the application's jobs; the first: {first}", violations.len())
                .into())
        }
    }
}

fn lost(push: JobId, fate: Fate, records: &HashMap<JobId, &JobRecord>) -> Option<String> {
    match fate {
        Fate::Committed(job) if !records.contains_key(&job) => {
            Some(format!("push {push} committed as job {job}, which is missing"))
        }
        Fate::RolledBack if records.contains_key(&push) => {
            Some(format!("push {push} was rolled back, and is stored"))
        }
        Fate::Unknown | Fate::Committed(_) | Fate::RolledBack => None,
    }
}

/// Returns what is wrong if a draft has the payload of a push that can't have put it there.
fn misreplaced(record: &JobRecord, fates: &HashMap<JobId, Fate>) -> Result<Option<String>, BoxError> {
    let text = record.body.encode()?;
    let body: serde_json::Value = serde_json::from_str(&text)?;
    let version: JobId = serde_json::from_value(body.get("version").cloned().unwrap_or_default())?;
    let fate = fates.get(&version).copied();
    let may_be = match fate {
        Some(Fate::Unknown) => true,
        Some(Fate::Committed(job)) => job == record.id,
        Some(Fate::RolledBack) | None => false,
    };
    Ok((!may_be).then(|| format!("draft {} has the payload of push {version}, which is {fate:?}", record.id)))
}

fn is_replacement(push: JobId, fate: Fate, records: &HashMap<JobId, &JobRecord>) -> bool {
    matches!(fate, Fate::Committed(job) if job != push
        && records.get(&job).is_some_and(|record| record.name == *"draft"))
}
