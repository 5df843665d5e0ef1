//! Diagnoses a file, for operators.

mod integrity;
mod schema;

use std::fs;
use std::time::Duration;

use queue_core::admin::{Check, Finding, Severity};
use queue_core::{QueueError, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Result};

use crate::queue::SqliteQueue;
use crate::settings::Synchronous;

/// How far in the future a push may lie: clocks that are synchronized differ by less.
const SKEW: Duration = Duration::from_secs(60);

/// A `-wal` file of this size means that a reader stays open: SQLite truncates the file to a quarter of it.
const MAX_LOG: u64 = 256 << 20;

/// Returns a finding for each problem of the file. The reader thread does nothing else meanwhile.
pub(crate) async fn diagnose(queue: &SqliteQueue) -> Result<Vec<Finding>, QueueError> {
    let now = queue.clock().now();
    let mut findings: Vec<_> = synchronous(queue.synchronous()).into_iter().chain(log(queue)).collect();
    let stored = queue.reader().call(move |connection| {
        let mut findings = schema::drift(connection)?;
        findings.extend(integrity::broken_rules(connection)?);
        findings.extend(pushed_in_the_future(connection, now)?);
        Ok(findings)
    });
    findings.extend(stored.await?);
    Ok(findings)
}

/// Every connection of the queue uses WAL: opening it fails otherwise.
fn synchronous(level: Synchronous) -> Option<Finding> {
    let what = "this program does not wait for the disk (`synchronous = normal`), so a power cut may lose acknowledged pushes";
    let cure = "open the queue with `Synchronous::Full`";
    let finding = Finding::new(Check::Durability, Severity::Warning, what, cure);
    (level == Synchronous::Normal).then_some(finding)
}

fn log(queue: &SqliteQueue) -> Option<Finding> {
    let mut path = queue.path().as_os_str().to_owned();
    path.push("-wal");
    let bytes = fs::metadata(path).ok()?.len();
    if bytes < MAX_LOG {
        return None;
    }
    let what = format!(
        "the `-wal` file has {} MB: a program keeps a read transaction open, so SQLite can't truncate the file",
        bytes >> 20
    );
    let cure = "find the program that reads the file (`fuser -v`), and end its transaction";
    Some(Finding::new(Check::Maintenance, Severity::Warning, what, cure))
}

fn pushed_in_the_future(connection: &Connection, now: Timestamp) -> Result<Option<Finding>> {
    let find = "select count(*), max(pushed_at) from queue_jobs where pushed_at > ?1 having count(*) > 0";
    let latest = now.saturating_add(SKEW).as_micros();
    let found: Option<(i64, i64)> =
        connection.query_row(find, [latest], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(found.map(|(count, pushed_at)| {
        let ahead = Timestamp::from_micros(pushed_at).since(now).as_secs();
        let what = format!("jobs pushed in the future: {count}, up to {ahead} s ahead of this machine's clock");
        let cure = "set the clocks of all machines that use the file: times of jobs are those of the machine that stores them";
        Finding::new(Check::Clock, Severity::Warning, what, cure)
    }))
}
