//! M5: a misspelt `inject` is told what was meant.

use queue_core::background_job;

struct Pool;

#[background_job]
async fn ship(#[injct] pool: &Pool) {
    let _ = pool;
}

fn main() {}
