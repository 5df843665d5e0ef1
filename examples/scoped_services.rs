//! Jobs get services: one for the process, one for each attempt, and a unit of work that ends with the outcome.
//!
//! `cargo run --example scoped_services`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::convert::Infallible;
use std::sync::Arc;

use queue_core::{BoxError, JobContext, OutcomeKind, QueueExt as _, Services, background_job, jobs};
use queue_tokio::{Host, MemoryQueue, QueueService};

/// One for the process.
struct Pool(&'static str);

/// One for each attempt, built from other services.
struct Log(String);

/// One for each attempt, injected exclusively.
struct Transaction(Vec<String>);

#[background_job(backoff = fixed("10ms"))]
async fn book_order(
    #[inject] log: &Log,
    #[inject] transaction: &mut Transaction,
    cents: i64,
) -> Result<(), BoxError> {
    transaction.0.push(format!("{}: {cents} cents", log.0));
    if cents > 100 && log.0.ends_with('1') {
        Err("large orders need a second attempt".into())
    } else {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let services = Services::builder()
        .singleton(Pool("shop.db"))
        .scoped_fn(|context: JobContext| Log(format!("attempt {}", context.attempt())))
        .unit_of_work(
            async |pool: Arc<Pool>| Ok::<_, Infallible>(Transaction(vec![pool.0.to_owned()])),
            async |transaction: Transaction, outcome: OutcomeKind| {
                println!("{}: {:?}", if outcome.is_success() { "commit" } else { "rollback" }, transaction.0);
                Ok::<_, Infallible>(())
            },
        )
        .build()?; // Missing, cyclic and captive dependencies are reported here, all of them.
    let queue = MemoryQueue::new();
    queue.enqueue_all([book_order::new(5), book_order::new(500)]).await?;
    let service = QueueService::new(queue.clone(), jobs![book_order]);
    Host::builder().services(services).service(service).build()?.run_until(queue.idle()).await?;
    Ok(())
}
