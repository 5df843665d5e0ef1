//! M5: the error for an unnamed return type says to name it.

use queue_core::background_job;

#[background_job]
async fn ship(order: u64) -> impl Sized {
    let _ = order;
}

fn main() {}
