use queue_core::background_job;

struct Order;

#[background_job]
async fn ship(order: Order, express: bool) {
    let _ = (order, express);
}

fn main() {
    let _ = queue_core::jobs![ship];
}
