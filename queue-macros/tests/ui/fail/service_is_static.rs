//! M5: the error for a `&'static` service says to remove `'static`.

use queue_core::background_job;

struct Pool;

#[background_job]
async fn ship(#[inject] pool: &'static Pool) {
    let _ = pool;
}

fn main() {}
