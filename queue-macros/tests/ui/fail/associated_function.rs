//! M5: the error for a function inside of an `impl` says to move it out.

use queue_core::background_job;

struct Shop;

impl Shop {
    #[background_job]
    async fn ship(order: u64) {
        let _ = order;
    }
}

fn main() {}
