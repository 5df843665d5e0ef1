//! A queue in a PostgreSQL database: its jobs survive every process, and any number of machines work on them.
//!
//! `DATABASE_URL=postgres://user:password@localhost/database cargo run --example postgres`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;

use queue_core::{Admin as _, BoxError, QueueExt as _, Services, background_job, jobs};
use queue_postgres::PostgresQueue;
use queue_tokio::{Host, QueueService};
use tokio::sync::Notify;

const MISSING: &str = "set DATABASE_URL to the URL of a PostgreSQL database in which a schema `queue` may be created: \
                       DATABASE_URL=postgres://user:password@localhost/database";

#[background_job(queue = "greetings")]
async fn greet(#[inject] greeted: &Notify, name: &str) {
    println!("hello, {name}");
    greeted.notify_one();
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let url = std::env::var("DATABASE_URL").map_err(|_| MISSING)?;
    // Creates the schema `queue`, or brings it up to date.
    let queue = PostgresQueue::connect(url).await?;
    let receipt = queue.enqueue(greet::new("world")).await?;

    let greeted = Arc::new(Notify::new());
    let host = Host::builder()
        .services(Services::builder().singleton_as(greeted.clone()).build()?)
        .service(QueueService::new(queue.clone(), jobs![greet]))
        .build()?;
    // The stop lets the running job end, and records its completion.
    host.run_until(greeted.notified()).await?;
    println!("the job is {:?}", queue.get(receipt.id()).await?.map(|job| job.state));
    Ok(())
}
