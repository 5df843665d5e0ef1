//! M5: the error for a where clause says to remove it.

use queue_core::background_job;

#[background_job]
async fn ship(order: u64)
where
    u64: Copy,
{
    let _ = order;
}

fn main() {}
