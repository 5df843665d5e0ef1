//! M5: a payload type that can not be stored is one error, at the type, by name.

use queue_core::background_job;

struct Order;

#[background_job]
async fn ship(order: Order, express: bool) {
    let _ = (order, express);
}

fn main() {
    let _ = queue_core::jobs![ship];
}
