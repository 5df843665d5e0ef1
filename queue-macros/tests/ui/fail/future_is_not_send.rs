use std::rc::Rc;

use queue_core::background_job;

#[background_job]
async fn ship(order: u64) {
    let order = Rc::new(order);
    pack().await;
    drop(order);
}

async fn pack() {}

fn main() {}
