//! M5: a field that a unique key can't format is an error at the key.

use queue_core::background_job;

#[background_job(unique = "{orders}")]
async fn ship(orders: Vec<u64>) {
    drop(orders);
}

fn main() {}
