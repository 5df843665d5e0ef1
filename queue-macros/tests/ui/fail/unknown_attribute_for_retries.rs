//! M5: the error for another library's word for `max_attempts` says how this one counts.

use queue_core::background_job;

#[background_job(retries = 5)]
async fn ship(order: u64) {
    let _ = order;
}

#[background_job(attempts = 5)]
async fn pack(order: u64) {
    let _ = order;
}

#[background_job(max_retries = 5)]
async fn bill(order: u64) {
    let _ = order;
}

fn main() {}
