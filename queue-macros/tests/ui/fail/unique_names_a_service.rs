//! M5: a unique key that names a service is told the fields.

use queue_core::background_job;

struct Pool;

#[background_job(unique = "{pool}")]
async fn ship(#[inject] pool: &Pool, order: u64) {
    let _ = (pool, order);
}

fn main() {}
