//! `context.then` chains jobs: the next job is stored in the step that completes this one, so no link is lost or doubled.
//!
//! `cargo run --example chain`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use queue_core::{BoxError, JobContext, QueueExt as _, background_job, jobs};
use queue_tokio::{MemoryQueue, QueueService};

#[background_job(backoff = fixed("10ms"))]
async fn charge_card(#[inject] context: &JobContext, order: u64) -> Result<(), BoxError> {
    context.then(ship_order::new(order));
    if context.attempt() == 1 {
        // The followup of a failed attempt is not stored.
        return Err("the bank does not answer".into());
    }
    println!("order {order} is paid");
    Ok(())
}

#[background_job]
async fn ship_order(#[inject] context: &JobContext, order: u64) {
    println!("order {order} is shipped");
    // A job may have several followups; they are stored together.
    context.then(send_mail::new("customer", order));
    context.then(send_mail::new("accountant", order));
}

#[background_job]
async fn send_mail(to: &str, order: u64) {
    println!("a mail about order {order} to the {to}");
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let queue = MemoryQueue::new();
    queue.enqueue(charge_card::new(7)).await?;
    let service = QueueService::new(queue.clone(), jobs![charge_card, ship_order, send_mail]);
    service.run_until(queue.idle()).await?;
    Ok(())
}
