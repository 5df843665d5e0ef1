//! A backend of your own has four methods. Here they use the contract's own job table behind a lock.
//!
//! `cargo run --example own_backend`
//!
//! The table implements the rules (order, leases, fences, unique keys, retention). The backend stores the table, provides the
//! time, and wakes waiting claimers. A backend for operators implements `Admin` too; then `queue_conformance::conformance!` tests
//! it against the contract, law by law.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use queue_core::table::{JobTable, TableConfig};
use queue_core::{
    BoxError, Delivery, Demand, Lease, NewJob, Queue, QueueError, QueueExt as _, Receipt, Renewal, Services,
    Settled, Settlement, Timestamp, background_job, jobs,
};
use queue_tokio::{Host, QueueService};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// A queue in memory, neither bounded nor fast.
struct LockedQueue {
    table: Mutex<JobTable>,
    changed: Notify,
}

impl LockedQueue {
    fn new() -> Self {
        Self { table: Mutex::new(JobTable::new(TableConfig::default())), changed: Notify::new() }
    }

    /// Locks the table and reads the backend's clock, which applies to all callers.
    fn table(&self) -> (MutexGuard<'_, JobTable>, Timestamp) {
        // A panic under the lock would be a bug of the table; a job lost half-way is delivered again when its lease expires.
        (self.table.lock().unwrap_or_else(PoisonError::into_inner), SystemTime::now().into())
    }
}

#[async_trait]
impl Queue for LockedQueue {
    async fn push(&self, jobs: Vec<NewJob>) -> Result<Vec<Receipt>, QueueError> {
        let (mut table, now) = self.table();
        let receipts = table.push(now, jobs)?;
        self.changed.notify_waiters();
        Ok(receipts)
    }

    async fn claim(&self, demand: &Demand) -> Result<Vec<Delivery>, QueueError> {
        let patience = demand.wait.map(|wait| Instant::now() + wait);
        while !demand.is_stopped() {
            // Created before the claim, so that a push in between is not missed.
            let changed = self.changed.notified();
            let wake_at = {
                let (mut table, now) = self.table();
                let deliveries = table.claim(now, demand);
                if !deliveries.is_empty() || patience.is_some_and(|patience| patience <= Instant::now()) {
                    return Ok(deliveries);
                }
                let due = table.next_due().map(|due| Instant::now() + due.since(now));
                due.into_iter().chain(patience).min()
            };
            // No job is claimed at this await point, so dropping the future here loses nothing.
            tokio::select! {
                () = changed => {}
                () = demand.stopped() => {}
                () = sleep_until(wake_at.unwrap_or_else(Instant::now)), if wake_at.is_some() => {}
            }
        }
        Ok(Vec::new())
    }

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Renewal>, QueueError> {
        let (mut table, now) = self.table();
        Ok(table.renew(now, leases))
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, QueueError> {
        let (mut table, now) = self.table();
        let settled = table.settle(now, settlements)?;
        self.changed.notify_waiters();
        Ok(settled)
    }
}

#[background_job]
async fn greet(#[inject] done: &Notify, name: &str) {
    println!("hello, {name}");
    done.notify_one();
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let done = Arc::new(Notify::new());
    let queue = Arc::new(LockedQueue::new());
    let running = Host::builder()
        .services(Services::builder().singleton_as(done.clone()).build()?)
        .service(QueueService::new(queue.clone(), jobs![greet]))
        .build()?
        .start()
        .await?;

    queue.enqueue(greet::new("world")).await?;
    done.notified().await;
    queue.enqueue(greet::new("later")).delay(Duration::from_millis(100)).await?;
    done.notified().await;
    running.stop().await?;
    Ok(())
}
