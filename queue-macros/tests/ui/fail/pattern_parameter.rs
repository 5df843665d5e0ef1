//! M5: the error for a parameter without a name says to name it.

use queue_core::background_job;

#[background_job]
async fn ship((order, express): (u64, bool)) {
    let _ = (order, express);
}

fn main() {}
