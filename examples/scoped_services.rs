//! Jobs are given services: one for the process, one for each attempt, and a unit of work that ends with the outcome.
//!
//! `cargo run --example scoped_services`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::convert::Infallible;
use std::sync::Arc;

use queue_core::{BoxError, JobContext, OutcomeKind, QueueExt as _, Services, background_job, jobs};
use queue_tokio::{Host, MemoryQueue, QueueService};

/// One for the process; asked for as a trait, so that a test can put another in its place.
trait Clerk: Send + Sync {
    fn sign(&self, text: &str) -> String;
}

struct Bob;

impl Clerk for Bob {
    fn sign(&self, text: &str) -> String {
        format!("{text} (signed: Bob)")
    }
}

/// One for each attempt, made of other services.
struct Desk {
    clerk: Arc<dyn Clerk>,
    attempt: u32,
}

/// One for each attempt, which has it to itself.
#[derive(Debug, Default)]
struct Ledger(Vec<String>);

#[background_job(backoff = fixed("10ms"))]
async fn book(#[inject] desk: &Desk, #[inject] ledger: &mut Ledger, cents: i64) -> Result<(), BoxError> {
    ledger.0.push(desk.clerk.sign(&format!("{cents} cents")));
    if cents > 100 && desk.attempt == 1 {
        return Err("the clerk wants to look at that again".into());
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let services = Services::builder()
        .singleton_as::<dyn Clerk>(Arc::new(Bob))
        .scoped_fn(|clerk: Arc<dyn Clerk>, context: JobContext| Desk { clerk, attempt: context.attempt() })
        .unit_of_work(
            async || Ok::<_, Infallible>(Ledger::default()),
            move |ledger: Ledger, outcome: OutcomeKind| {
                let ended = ended.clone();
                async move { ended.send((outcome.is_success(), ledger)) }
            },
        )
        // What is missing, goes in circles or lives too long is found here, all of it, before anything runs.
        .build()?;
    let queue = MemoryQueue::new();
    let host =
        Host::builder().services(services).service(QueueService::new(queue.clone(), jobs![book])).build()?;
    let running = host.start().await?;

    queue.enqueue_all([book::new(5), book::new(500)]).await?;
    let mut committed = 0;
    while committed < 2
        && let Some((success, ledger)) = ends.recv().await
    {
        println!("{} {ledger:?}", if success { "commit  " } else { "rollback" });
        committed += u32::from(success);
    }
    running.stop().await?;
    Ok(())
}
