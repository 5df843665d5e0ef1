//! M5: the error for a key without parentheses says what to write.

use queue_core::background_job;

struct Pool;

#[background_job]
async fn ship(#[inject = "main"] pool: &Pool) {
    let _ = pool;
}

fn main() {}
