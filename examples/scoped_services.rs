//! Jobs get services: one for the process, one for each attempt, and a unit of work that ends with the outcome.
//!
//! `cargo run --example scoped_services`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::convert::Infallible;
use std::sync::Arc;

use queue_core::{BoxError, JobContext, OutcomeKind, QueueExt as _, Services, background_job, jobs};
use queue_tokio::{Host, MemoryQueue, QueueService};

/// One for the process; injected as a trait, so that a test can replace it.
trait Mailer: Send + Sync {
    fn send(&self, text: &str) -> String;
}

struct Smtp;

impl Mailer for Smtp {
    fn send(&self, text: &str) -> String {
        format!("{text} (sent by SMTP)")
    }
}

/// One for each attempt, built from other services.
struct Checkout {
    mailer: Arc<dyn Mailer>,
    attempt: u32,
}

/// One for each attempt, injected exclusively.
#[derive(Debug, Default)]
struct Transaction(Vec<String>);

#[background_job(backoff = fixed("10ms"))]
async fn place_order(
    #[inject] checkout: &Checkout,
    #[inject] transaction: &mut Transaction,
    cents: i64,
) -> Result<(), BoxError> {
    transaction.0.push(checkout.mailer.send(&format!("{cents} cents")));
    if cents > 100 && checkout.attempt == 1 {
        return Err("large orders need a second check".into());
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let services = Services::builder()
        .singleton_as::<dyn Mailer>(Arc::new(Smtp))
        .scoped_fn(|mailer: Arc<dyn Mailer>, context: JobContext| Checkout {
            mailer,
            attempt: context.attempt(),
        })
        .unit_of_work(
            async || Ok::<_, Infallible>(Transaction::default()),
            move |transaction: Transaction, outcome: OutcomeKind| {
                let ended = ended.clone();
                async move { ended.send((outcome.is_success(), transaction)) }
            },
        )
        // `build` reports missing, cyclic and captive dependencies, all of them, before anything runs.
        .build()?;
    let queue = MemoryQueue::new();
    let host = Host::builder()
        .services(services)
        .service(QueueService::new(queue.clone(), jobs![place_order]))
        .build()?;
    let running = host.start().await?;

    queue.enqueue_all([place_order::new(5), place_order::new(500)]).await?;
    let mut committed = 0;
    while committed < 2
        && let Some((success, transaction)) = ends.recv().await
    {
        println!("{} {transaction:?}", if success { "commit  " } else { "rollback" });
        committed += u32::from(success);
    }
    running.stop().await?;
    Ok(())
}
