//! M5: the error for an extern function says to remove `extern`.

use queue_core::background_job;

#[background_job(blocking)]
extern "C" fn ship(order: u64) {
    let _ = order;
}

fn main() {}
