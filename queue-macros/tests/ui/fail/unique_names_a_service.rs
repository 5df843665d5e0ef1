//! M5: the error for a unique key that names a service lists the fields.

use queue_core::background_job;

struct Pool;

#[background_job(unique = "{pool}")]
async fn ship(#[inject] pool: &Pool, order: u64) {
    let _ = (pool, order);
}

fn main() {}
