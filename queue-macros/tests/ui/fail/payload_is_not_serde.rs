use queue_core::background_job;

#[derive(Debug, Clone, PartialEq)]
struct Order;

#[background_job]
async fn ship(orders: &[Order]) {
    let _ = orders;
}

fn main() {
    let _ = queue_core::jobs![ship];
}
