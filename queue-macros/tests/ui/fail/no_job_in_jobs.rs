//! M8: `jobs!` refuses an item that is not a job with an error that names it.

use queue_core::{background_job, jobs};

async fn ship(order: u64) {
    let _ = order;
}

struct Order;

mod shipping {
    pub async fn track() {}
}

#[background_job]
async fn mail(user: u64) {
    let _ = user;
}

fn main() {
    let _ = jobs![ship];
    let _ = jobs![Order];
    let _ = jobs![mail, shipping::track];
}
