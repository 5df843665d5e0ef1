//! M5: the error for a method says to make it a function.

use queue_core::background_job;

struct Shop;

impl Shop {
    #[background_job]
    async fn ship(&self, order: u64) {
        let _ = order;
    }
}

fn main() {}
