//! M6: an unknown type is one error, as in any function.

use queue_core::background_job;

#[background_job]
async fn ship(#[inject] pool: &Pool) {
    let _ = pool;
}

fn main() {}
