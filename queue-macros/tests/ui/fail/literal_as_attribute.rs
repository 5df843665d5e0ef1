//! M5: a literal in place of an attribute is told what is accepted.

use queue_core::background_job;

#[background_job("mail")]
async fn ship(order: u64) {
    let _ = order;
}

fn main() {}
