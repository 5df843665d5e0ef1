//! M5: the job that is stored on a discard takes the discarded one, and nothing else.

use queue_core::background_job;

#[background_job]
async fn alert(order: u64) {
    let _ = order;
}

#[background_job(on_discard = alert)]
async fn charge(order: u64) {
    let _ = order;
}

fn main() {}
