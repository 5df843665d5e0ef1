//! A unique key keeps out a second job while the first is unfinished, or has the second one replace the first.
//!
//! `cargo run --example unique`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use queue_core::{BoxError, QueueExt as _, Receipt, Unique, background_job, jobs};
use queue_tokio::{MemoryQueue, QueueService};

/// At most one unfinished job for each product; its payload is that of the first push.
#[background_job(unique = "{sku}")]
async fn update_price(sku: &str, cents: u32) {
    println!("{sku} costs {cents} cents");
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let queue = MemoryQueue::new();
    let show = |text: &str, receipt: Receipt| println!("{text}: {receipt:?}");
    show("tea for 450", queue.enqueue(update_price::new("tea", 450)).await?.receipt());
    show("tea for 460", queue.enqueue(update_price::new("tea", 460)).await?.receipt());
    show("cup for 900", queue.enqueue(update_price::new("cup", 900)).await?.receipt());

    // On a conflict, this push replaces the payload of the waiting job: the last price counts.
    let last_counts = Unique::new("cup").replace();
    show("cup for 950", queue.enqueue(update_price::new("cup", 950)).unique(last_counts).await?.receipt());

    // With a window, the key is held after the job has finished, too: at most one job in each hour.
    let hourly = Unique::new("pot").within(Duration::from_secs(3600));
    show("pot for 800", queue.enqueue(update_price::new("pot", 800)).unique(hourly.clone()).await?.receipt());
    QueueService::new(queue.clone(), jobs![update_price]).run_until(queue.idle()).await?;

    show("tea for 470", queue.enqueue(update_price::new("tea", 470)).await?.receipt());
    show("pot for 810", queue.enqueue(update_price::new("pot", 810)).unique(hourly).await?.receipt());
    QueueService::new(queue.clone(), jobs![update_price]).run_until(queue.idle()).await?;
    Ok(())
}
