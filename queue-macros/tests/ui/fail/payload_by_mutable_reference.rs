//! M5: a payload by `&mut` is told both ways out.

use queue_core::background_job;

#[background_job]
async fn ship(orders: &mut Vec<u64>) {
    orders.clear();
}

fn main() {}
