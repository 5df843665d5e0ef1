//! M5: a constant parameter is told to be an ordinary one.

use queue_core::background_job;

#[background_job]
async fn ship<const N: usize>(orders: [u64; N]) {
    let _ = orders;
}

fn main() {}
