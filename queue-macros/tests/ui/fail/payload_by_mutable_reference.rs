//! M5: the error for a payload by `&mut` names both solutions.

use queue_core::background_job;

#[background_job]
async fn ship(orders: &mut Vec<u64>) {
    orders.clear();
}

fn main() {}
