//! M5: the message for an unsuitable error type lists the suitable ones.

use queue_core::background_job;

struct OutOfStock;

#[background_job]
async fn ship(order: u64) -> Result<(), OutOfStock> {
    let _ = order;
    Err(OutOfStock)
}

fn main() {}
