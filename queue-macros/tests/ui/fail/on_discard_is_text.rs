//! M5: the job that is stored on a discard is named by its path.

use queue_core::background_job;

#[background_job(on_discard = "alert")]
async fn charge(order: u64) {
    let _ = order;
}

fn main() {}
