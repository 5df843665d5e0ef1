//! M5: a return type that can't be an outcome is an error at the type.

use queue_core::background_job;

#[background_job]
async fn count(items: Vec<u64>) -> usize {
    items.len()
}

fn main() {}
