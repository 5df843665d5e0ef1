//! M5: an invalid queue name is refused at the literal.

use queue_core::background_job;

#[background_job(queue = "my mail")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
