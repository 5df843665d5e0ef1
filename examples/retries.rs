//! A failed attempt is retried after a wait; the job's error can set the wait, or end the retries.
//!
//! `cargo run --example retries`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use queue_core::{
    BoxError, Event, JobContext, JobError, Observer, QueueExt as _, Transition, background_job, jobs,
};
use queue_tokio::{Host, MemoryQueue, QueueService};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// `?` converts any error to one that is retried by the policy: here 10 ms, doubling, with jitter.
#[background_job(max_attempts = 4, backoff = exponential("10ms", "1s"))]
async fn call(#[inject] context: &JobContext, number: &str) -> Result<(), JobError> {
    let digits: u64 = number.parse().map_err(JobError::permanent)?;
    match context.attempt() {
        1 => Err("no answer".into()),
        2 => Err(JobError::retry_in(Duration::from_millis(50), format!("{digits} is busy"))),
        _ => Ok(()),
    }
}

/// Sends the transition of each attempt to a channel.
struct Ends(UnboundedSender<(u32, Transition)>);

impl Observer for Ends {
    fn observe(&self, event: &Event) {
        if let Event::Settled { job, transition, .. } = event {
            drop(self.0.send((job.attempt, transition.clone())));
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (sender, mut ends) = unbounded_channel();
    let queue = MemoryQueue::new();
    let service = QueueService::new(queue.clone(), jobs![call]).observe(Ends(sender));
    let running = Host::builder().service(service).build()?.start().await?;

    for number in ["5551234", "not a number"] {
        println!("\ncalling {number}");
        queue.enqueue(call::new(number)).await?;
        while let Some((attempt, transition)) = ends.recv().await {
            println!("attempt {attempt}: {transition:?}");
            if matches!(transition, Transition::Complete | Transition::Discard { .. }) {
                break;
            }
        }
    }
    running.stop().await?;
    Ok(())
}
