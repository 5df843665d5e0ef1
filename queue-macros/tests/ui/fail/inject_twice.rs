//! M5: a repeated `inject` is an error at the second.

use queue_core::background_job;

struct Pool;

#[background_job]
async fn ship(#[inject] #[inject("main")] pool: &Pool) {
    let _ = pool;
}

fn main() {}
