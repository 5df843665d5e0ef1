//! M1: an error in the body is shown in the body, and is the only one.

use queue_core::background_job;

#[background_job]
async fn ship(order: u64) {
    let _: String = order;
}

fn main() {}
