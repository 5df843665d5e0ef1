//! M5: a where clause is told to be left out.

use queue_core::background_job;

#[background_job]
async fn ship(order: u64)
where
    u64: Copy,
{
    let _ = order;
}

fn main() {}
