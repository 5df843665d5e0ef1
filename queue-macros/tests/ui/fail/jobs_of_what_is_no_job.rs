use queue_core::jobs;

async fn ship(order: u64) {
    let _ = order;
}

struct Order;

fn main() {
    let _ = jobs![ship];
    let _ = jobs![Order];
}
