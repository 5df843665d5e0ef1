//! M5: a generic job is told why there is none.

use queue_core::background_job;

#[background_job]
async fn ship<T: Send>(order: T) {
    drop(order);
}

fn main() {}
