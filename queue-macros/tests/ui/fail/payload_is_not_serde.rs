//! M5: a payload type that serde does not know is one error, at the type, by name.

use queue_core::background_job;

#[derive(Debug, Clone, PartialEq)]
struct Order;

#[background_job]
async fn ship(orders: &[Order]) {
    let _ = orders;
}

fn main() {}
