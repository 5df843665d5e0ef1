//! `crash_everywhere` crashes a job's worker at every await point, and names the line after which a card is charged twice.
//!
//! `cargo run --example crash_test`
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example shows what it does")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use queue_core::{BoxError, Job, JobContext, JobId, QueueExt as _, background_job, jobs};
use queue_testkit::{TestKit, crash_everywhere};

/// The keys of the charges at a payment provider, which makes one for each key, and the booked orders.
#[derive(Default)]
struct Shop(Mutex<BTreeSet<JobId>>, Mutex<BTreeSet<u64>>);

impl Shop {
    async fn charge(&self, key: JobId) {
        self.0.lock().unwrap().insert(key);
    }

    async fn book(&self, order: u64) {
        self.1.lock().unwrap().insert(order);
    }
}

#[background_job]
async fn sell_carelessly(#[inject] shop: &Shop, order: u64) {
    shop.charge(JobId::random()).await; // another key for each attempt
    shop.book(order).await;
}

#[background_job]
async fn sell(#[inject] shop: &Shop, #[inject] context: &JobContext, order: u64) {
    shop.charge(context.id()).await; // the same key for each attempt
    shop.book(order).await;
}

/// Runs the job once for each point at which its worker can crash, and returns their number if one charge is made in each run.
async fn explore(job: impl Job) -> Result<usize, BoxError> {
    let setup = async || {
        let shop = Arc::new(Shop::default());
        let kit = TestKit::new(jobs![sell, sell_carelessly]).singleton_as(shop.clone()).build()?;
        kit.queue().enqueue(job.clone()).await?;
        Ok((kit, shop))
    };
    let once = |count| if count == 1 { Ok(()) } else { Err(format!("the card is charged {count} times")) };
    Ok(crash_everywhere(setup).check(|(_, shop)| once(shop.0.lock().unwrap().len())).await?.crashes)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("{}\n", explore(sell_carelessly::new(7)).await.unwrap_err());
    println!("with an idempotency key: {} crashes, one charge each", explore(sell::new(7)).await.unwrap());
}
