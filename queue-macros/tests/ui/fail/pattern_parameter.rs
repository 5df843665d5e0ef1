//! M5: a parameter without a name is told to have one.

use queue_core::background_job;

#[background_job]
async fn ship((order, express): (u64, bool)) {
    let _ = (order, express);
}

fn main() {}
