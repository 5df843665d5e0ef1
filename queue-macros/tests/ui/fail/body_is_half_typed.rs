//! M7: a half-typed body has the errors of any function, and the job still exists.

use queue_core::background_job;

#[background_job]
async fn ship(order: u64) {
    order.
}

fn main() {
    let _ = queue_core::jobs![ship];
    let _ = ship::new(1);
}
