//! A backend of your own: a list of jobs behind a lock, on the public API of `queue-core` alone.
//!
//! `cargo run --example own_backend`
//!
//! - `queue.rs` implements `Queue`: the lock, and how a push and a claim wait.
//! - `list.rs`, `push.rs` and `settle.rs` have the rules of the contract. A backend that stores jobs elsewhere writes these over
//!   its storage.
//! - `admin.rs` implements `Admin`, which dashboards and the conformance suite need.
//! - `laws.rs` tests the queue against every law of the contract, by one line: `cargo test -p queue-examples --test own_backend`.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

mod admin;
mod list;
mod push;
mod queue;
mod settle;

use std::sync::Arc;
use std::time::Duration;

use queue_core::{BoxError, QueueExt as _, Services, background_job, jobs};
use queue_tokio::{Host, QueueService, TokioClock};
use tokio::sync::Notify;

use queue::ListQueue;

#[background_job]
async fn greet(#[inject] done: &Notify, name: &str) {
    println!("hello, {name}");
    done.notify_one();
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let done = Arc::new(Notify::new());
    let queue = Arc::new(ListQueue::new(Arc::new(TokioClock::new()), 1_000));
    let running = Host::builder()
        .services(Services::builder().singleton_as(done.clone()).build()?)
        .service(QueueService::new(queue.clone(), jobs![greet]))
        .build()?
        .start()
        .await?;

    queue.enqueue(greet::new("world")).await?;
    done.notified().await;
    queue.enqueue(greet::new("later")).delay(Duration::from_millis(100)).await?;
    done.notified().await;
    queue.try_push(vec![greet::new("if there is capacity").into()])?;
    done.notified().await;
    running.stop().await?;
    queue.close();
    Ok(())
}
