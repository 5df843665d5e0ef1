//! M5: the error for a const parameter says to make it an ordinary one.

use queue_core::background_job;

#[background_job]
async fn ship<const N: usize>(orders: [u64; N]) {
    let _ = orders;
}

fn main() {}
