//! M5: the error for a serde attribute on a service says that it does not apply.

use queue_core::background_job;

struct Pool;

#[background_job]
async fn ship(#[inject] #[serde(default)] pool: &Pool) {
    let _ = pool;
}

fn main() {}
