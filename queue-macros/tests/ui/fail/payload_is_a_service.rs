//! M5: a service without `inject` is one error, which says so.

use queue_core::background_job;

struct Pool;

#[background_job]
async fn ship(pool: &Pool, order: u64) {
    let _ = (pool, order);
}

fn main() {}
