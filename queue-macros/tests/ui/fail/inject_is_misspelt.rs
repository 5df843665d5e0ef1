//! M5: the error for a misspelt `inject` suggests the right spelling.

use queue_core::background_job;

struct Pool;

#[background_job]
async fn ship(#[injct] pool: &Pool) {
    let _ = pool;
}

fn main() {}
