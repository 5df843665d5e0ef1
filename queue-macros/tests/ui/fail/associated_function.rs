//! M5: a function inside of an `impl` is told to be outside.

use queue_core::background_job;

struct Shop;

impl Shop {
    #[background_job]
    async fn ship(order: u64) {
        let _ = order;
    }
}

fn main() {}
