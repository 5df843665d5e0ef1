//! M5: an attribute of serde on a service is told to be in vain.

use queue_core::background_job;

struct Pool;

#[background_job]
async fn ship(#[inject] #[serde(default)] pool: &Pool) {
    let _ = pool;
}

fn main() {}
