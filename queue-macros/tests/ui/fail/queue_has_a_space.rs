//! M5: a queue name that no queue would take is refused at the literal.

use queue_core::background_job;

#[background_job(queue = "my mail")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
