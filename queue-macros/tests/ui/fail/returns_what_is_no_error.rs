//! M5: an error type that is no error is told which there are.

use queue_core::background_job;

struct OutOfStock;

#[background_job]
async fn ship(order: u64) -> Result<(), OutOfStock> {
    let _ = order;
    Err(OutOfStock)
}

fn main() {}
