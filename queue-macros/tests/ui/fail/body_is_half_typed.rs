//! M7: a half-typed body is told what any function is told, and the job is still there.

use queue_core::background_job;

#[background_job]
async fn ship(order: u64) {
    order.
}

fn main() {
    let _ = queue_core::jobs![ship];
    let _ = ship::new(1);
}
