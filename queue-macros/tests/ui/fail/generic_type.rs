//! M5: the error for a generic job says why it can't be generic.

use queue_core::background_job;

#[background_job]
async fn ship<T: Send>(order: T) {
    drop(order);
}

fn main() {}
