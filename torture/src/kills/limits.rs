//! Limits that bind while processes are killed: their declaration, what the driver reads of their use, and the end.
//!
//! The load is that of `kills.rs`, with the jobs spread over partitions. `history::check_limits` judges the journals afterwards. A
//! journal tells only of leases that their clients knew of, so the driver also reads `usage` meanwhile, and once all jobs have ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use queue_conformance::load::Load;
use queue_core::admin::{QueueUsage, Usage, UsageRequest};
use queue_core::backend::StoredLimits;
use queue_core::{
    Admin, BoxError, CancellationToken, Limit, LimitScope, Partition, QueueError, QueueLimits, QueueName,
};
use tokio::time::sleep;

use crate::report::Report;
use crate::settings::Role;

/// The partitions of the load. Most jobs are in those without a limit of their own.
const PARTITIONS: [&str; 8] = ["a", "a", "a", "b", "c", "c", "r", ""];

/// The number of jobs of the queue that may run at once.
const RUNNING: u32 = 12;

/// The time between two readings of the usage.
const INTERVAL: Duration = Duration::from_millis(20);

/// Creates the client of a process.
pub(super) fn client(role: &Role, queue: Arc<dyn Admin>, stop: CancellationToken) -> Result<Load, BoxError> {
    let load = Load::new(queue, &role.journal, stop)?;
    Ok(if role.limits { load.partitions(PARTITIONS) } else { load })
}

/// Returns the limits that a program declares.
fn declared() -> QueueLimits {
    let rate = Limit::starts(20, Duration::from_millis(500)).burst(4);
    let limits = QueueLimits::total(Limit::running(RUNNING)).and_each(Limit::running(3));
    limits.and_partition("r", rate).and_partition("b", Limit::running(RUNNING))
}

/// Returns the scope and the limit that an operator sets instead.
fn set() -> (LimitScope, Limit) {
    (LimitScope::One(Partition::new("b")), Limit::running(2))
}

/// Returns the limits in force.
pub(super) fn in_force() -> QueueLimits {
    let (scope, limit) = set();
    declared().and(scope, limit)
}

/// The limits of the load's queue, and the most that was seen of their use.
pub(super) struct WatchedLimits {
    queue: Arc<dyn Admin>,
    limits: StoredLimits,
    most: BTreeMap<LimitScope, u64>,
    readings: u32,
}

impl WatchedLimits {
    /// Declares and sets the limits.
    pub(super) async fn declare(queue: Arc<dyn Admin>) -> Result<Self, BoxError> {
        queue.declare_limits(&QueueName::DEFAULT, &declared()).await?;
        let (scope, limit) = set();
        queue.set_limit(&QueueName::DEFAULT, &scope, Some(limit)).await?;
        let mut limits = StoredLimits::default();
        limits.declare(&in_force());
        Ok(Self { queue, limits, most: BTreeMap::new(), readings: 0 })
    }

    /// Reads the usage until a time has passed. Fails if more jobs run than a limit allows.
    pub(super) async fn watch_for(&mut self, time: Duration) -> Result<(), BoxError> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            match usage(&*self.queue).await {
                Ok(usage) => self.note(&usage)?,
                // The server is down.
                Err(error) if error.is_transient() => {}
                Err(error) => return Err(error.into()),
            }
            sleep(INTERVAL.min(end.saturating_duration_since(Instant::now()))).await;
        }
        Ok(())
    }

    fn note(&mut self, usage: &QueueUsage) -> Result<(), BoxError> {
        self.readings += 1;
        self.note_scope(LimitScope::Total, self.limits.total(), &usage.total)?;
        for listed in &usage.partitions {
            let scope = LimitScope::One(listed.partition.clone());
            self.note_scope(scope, self.limits.of(&listed.partition), &listed.usage)?;
        }
        Ok(())
    }

    fn note_scope(&mut self, scope: LimitScope, limit: Limit, usage: &Usage) -> Result<(), BoxError> {
        if usage.limit != limit {
            return Err(format!("the limit of {scope} is {}, and must be {limit}", usage.limit).into());
        }
        if limit.running.is_some_and(|allowed| usage.running > u64::from(allowed)) {
            return Err(format!("{} jobs of {scope} run, and {limit} is the limit", usage.running).into());
        }
        let most = self.most.entry(scope).or_default();
        *most = usage.running.max(*most);
        Ok(())
    }

    /// Checks that no place is taken, although no job is left, and that the limits did bind. Adds the rows of the report.
    pub(super) async fn judge(self, report: Report) -> Result<Report, BoxError> {
        let usage = usage(&*self.queue).await?;
        let is_idle = |usage: &Usage| (usage.ready, usage.running) == (0, 0);
        if !is_idle(&usage.total) || !usage.partitions.iter().all(|listed| is_idle(&listed.usage)) {
            return Err(format!("all jobs have ended, and the usage is not empty: {usage:?}").into());
        }
        let most = self.most.get(&LimitScope::Total).copied().unwrap_or_default();
        if most < u64::from(RUNNING) {
            return Err(format!("no limit was reached: at most {most} jobs ran at once").into());
        }
        let report = report.row("readings of the usage", self.readings);
        Ok(self
            .most
            .iter()
            .fold(report, |report, (scope, most)| report.row(format!("most running jobs of {scope}"), most)))
    }
}

async fn usage(queue: &dyn Admin) -> Result<QueueUsage, QueueError> {
    queue.usage(&UsageRequest::of(&QueueName::DEFAULT)).await
}
