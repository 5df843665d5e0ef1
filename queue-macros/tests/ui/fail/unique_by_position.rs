//! M5: a unique key with `{}` is told to name a field.

use queue_core::background_job;

#[background_job(unique = "order:{}")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
