//! M5: a `&'static` payload is told to be borrowed for a while.

use queue_core::background_job;

#[background_job]
async fn ship(order: &'static str) {
    let _ = order;
}

fn main() {}
