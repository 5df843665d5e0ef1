//! M5: the error for a `&'static` payload says to remove `'static`.

use queue_core::background_job;

#[background_job]
async fn ship(order: &'static str) {
    let _ = order;
}

fn main() {}
