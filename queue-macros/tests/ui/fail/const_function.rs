//! M5: the error for a const function says to remove `const`.

use queue_core::background_job;

#[background_job(blocking)]
const fn ship(order: u64) {
    let _ = order;
}

fn main() {}
