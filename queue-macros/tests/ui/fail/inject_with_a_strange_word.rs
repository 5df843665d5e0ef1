//! M5: the error for a word in `inject` that is not a key says what to write.

use queue_core::background_job;

struct Pool;

#[background_job]
async fn ship(#[inject(name = "main")] pool: &Pool) {
    let _ = pool;
}

fn main() {}
