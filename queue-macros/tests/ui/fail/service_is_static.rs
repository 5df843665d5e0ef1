//! M5: a `&'static` service is told to be borrowed for a while.

use queue_core::background_job;

struct Pool;

#[background_job]
async fn ship(#[inject] pool: &'static Pool) {
    let _ = pool;
}

fn main() {}
