//! M6: an unknown type is one error, as in any function.

use queue_core::background_job;

#[background_job]
async fn ship(order: Order) {
    drop(order);
}

fn main() {}
