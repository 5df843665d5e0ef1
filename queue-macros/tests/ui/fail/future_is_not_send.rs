//! M5: rustc shows in the body what keeps the future from being `Send`.

use queue_core::background_job;

#[background_job]
async fn ship(order: u64) {
    let order = std::rc::Rc::new(order);
    pack().await;
    drop(order);
}

async fn pack() {}

fn main() {}
