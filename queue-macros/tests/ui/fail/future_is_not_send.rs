//! M5: what keeps the future from being sent is shown in the body.

use queue_core::background_job;

#[background_job]
async fn ship(order: u64) {
    let order = std::rc::Rc::new(order);
    pack().await;
    drop(order);
}

async fn pack() {}

fn main() {}
