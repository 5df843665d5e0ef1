//! M8: `jobs!` refuses what is no job with an error that names it.

use queue_core::jobs;

async fn ship(order: u64) {
    let _ = order;
}

struct Order;

fn main() {
    let _ = jobs![ship];
    let _ = jobs![Order];
}
