//! M5: a type that can not be injected is one error, at the type.

use queue_core::background_job;

struct Pool;

#[background_job]
async fn ship(#[inject] pool: Pool, order: u64) {
    let _ = (pool, order);
}

fn main() {}
