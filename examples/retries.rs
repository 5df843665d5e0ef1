//! A failed attempt is retried after a wait; the job's error can set the wait, or end the retries.
//!
//! `cargo run --example retries`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use queue_core::{BoxError, Event, JobContext, JobError, Observer, QueueExt as _, background_job, jobs};
use queue_tokio::{MemoryQueue, QueueService};

/// `?` converts any error to one that is retried by the policy: here 10 ms, doubling, with jitter.
#[background_job(max_attempts = 4, backoff = exponential("10ms", "1s"))]
async fn send_mail(#[inject] context: &JobContext, address: &str) -> Result<(), JobError> {
    let Some((_, domain)) = address.split_once('@') else {
        return Err(JobError::permanent(format!("{address} is not an address")));
    };
    match context.attempt() {
        1 => Err(format!("{domain} does not answer"))?,
        2 => Err(JobError::retry_in(Duration::from_millis(50), format!("{domain} is busy"))),
        _ => Ok(()),
    }
}

/// Prints the transition of each attempt.
struct Printer;

impl Observer for Printer {
    fn observe(&self, event: &Event) {
        if let Event::Settled { job, transition, .. } = event {
            println!("attempt {}: {transition:?}", job.attempt);
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let queue = MemoryQueue::new();
    for address in ["ada@example.com", "nobody"] {
        println!("\na mail to {address}");
        queue.enqueue(send_mail::new(address)).await?;
        let service = QueueService::new(queue.clone(), jobs![send_mail]).observe(Printer);
        service.run_until(queue.idle()).await?;
    }
    Ok(())
}
