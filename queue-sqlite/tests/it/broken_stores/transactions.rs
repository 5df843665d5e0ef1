//! Stores that commit in two parts.

use std::sync::Arc;

use async_trait::async_trait;
use queue_conformance::durable::{PaymentApp, Store as _, Transaction};
use queue_core::{Admin, JobContext, JobError, NewJob, QueueError, Receipt, Services, background_job, jobs};
use queue_sqlite::rusqlite::Connection;

use super::broken::Bug;
use crate::durable::OnDisk;
use crate::fixture::work;

/// Pushes on another connection, so that the job does not depend on the transaction.
#[derive(Default)]
pub(super) struct PushesOutside;

struct Elsewhere(Arc<dyn Admin>);

#[async_trait]
impl Transaction for Elsewhere {
    async fn push(&mut self, job: NewJob) -> Result<Receipt, QueueError> {
        Ok(self.0.push(vec![job]).await?.remove(0))
    }

    async fn commit(self: Box<Self>) {}

    async fn rollback(self: Box<Self>) {}
}

#[async_trait]
impl Bug for PushesOutside {
    const MESSAGE: &str = "a job is visible before the transaction that pushed it has committed";

    async fn begin(disk: &OnDisk) -> Option<Box<dyn Transaction>> {
        Some(Box::new(Elsewhere(disk.open().await.expect("the same file again"))))
    }
}

/// Takes the write lock for a transaction that only reads.
#[derive(Default)]
pub(super) struct LocksToRead;

#[async_trait]
impl Bug for LocksToRead {
    const MESSAGE: &str = "beside an open Reading: ";

    async fn begin_reading(disk: &OnDisk) -> Option<Box<dyn Transaction>> {
        disk.begin().await
    }

    async fn begin(_: &OnDisk) -> Option<Box<dyn Transaction>> {
        None
    }
}

/// A connection on which the application writes outside of its unit of work.
struct Accounts(std::sync::Mutex<Connection>);

#[background_job(max_attempts = 100, backoff = fixed("1ms"))]
async fn pay_at_once(
    #[inject] accounts: &Accounts,
    #[inject] context: &JobContext,
    ending: &str,
) -> Result<(), JobError> {
    context.then(NewJob::from(work::new(1)).queue("receipts"));
    for _ in 0..2 {
        tokio::task::yield_now().await;
        accounts.pay();
    }
    tokio::task::yield_now().await;
    if ending == "success" { Ok(()) } else { Err("the card was refused")? }
}

impl Accounts {
    fn pay(&self) {
        let connection = self.0.lock().expect("a connection");
        connection.execute("update accounts set cents = cents + 1", []).expect("an account");
    }
}

/// Commits the writes of a job before its completion.
#[derive(Default)]
pub(super) struct TwoCommits;

#[async_trait]
impl Bug for TwoCommits {
    const MESSAGE: &str = "the payment of a job that crashed at poll";

    async fn payment_app(disk: &OnDisk) -> Option<PaymentApp> {
        let correct = disk.payment_app().await?;
        let accounts = Connection::open(disk.path()).expect("the same file again");
        let services = Services::builder().singleton(Accounts(std::sync::Mutex::new(accounts)));
        Some(PaymentApp {
            services: services.build().expect("services"),
            jobs: jobs![pay_at_once],
            pay: Box::new(|ending| pay_at_once::new(ending).into()),
            ..correct
        })
    }
}
