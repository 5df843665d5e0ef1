//! An application whose accounts are in the same file as its jobs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use queue_conformance::durable::PaymentApp;
use queue_core::{JobContext, JobError, NewJob, Services, background_job, jobs};
use queue_sqlite::rusqlite::Connection;
use queue_sqlite::{SqliteQueue, SqliteUnitOfWork};

const PAY: &str = "update accounts set cents = cents + 1";

#[background_job]
async fn receipt(order: i64) {
    let _: i64 = order;
}

#[background_job(max_attempts = 100, backoff = fixed("1ms"))]
async fn pay(
    #[inject] db: &mut SqliteUnitOfWork,
    #[inject] context: &JobContext,
    ending: &str,
) -> Result<(), JobError> {
    context.then(NewJob::from(receipt::new(1)).queue("receipts"));
    for _ in 0..2 {
        tokio::task::yield_now().await;
        db.write(|tx| tx.execute(PAY, []));
    }
    tokio::task::yield_now().await;
    match ending {
        "success" => Ok(()),
        "failure" => Err("the card was refused")?,
        _ => panic!("the card was eaten"),
    }
}

/// Creates the table of accounts.
pub(crate) fn open_accounts(path: &Path) {
    let accounts = Connection::open(path).expect("the same file again");
    let table = "create table accounts (cents integer); insert into accounts values (0)";
    accounts.execute_batch(table).expect("a table");
}

/// Returns the balance of the account.
fn balance(path: &PathBuf) -> i64 {
    let accounts = Connection::open(path).expect("the same file again");
    accounts.query_row("select cents from accounts", [], |row| row.get(0)).expect("an account")
}

/// Opens the application on a file that has no accounts yet.
pub(crate) async fn open(path: &Path) -> PaymentApp {
    let queue = SqliteQueue::open(path).await.expect("the same file again");
    open_accounts(path);
    let services = Services::builder().unit_of_work(queue.unit_of_work(), SqliteUnitOfWork::end);
    let path = path.to_owned();
    PaymentApp {
        queue: Arc::new(queue),
        services: services.build().expect("services"),
        jobs: jobs![pay],
        pay: Box::new(|ending| pay::new(ending).into()),
        balance: Box::new(move || Box::pin(std::future::ready(balance(&path)))),
    }
}
