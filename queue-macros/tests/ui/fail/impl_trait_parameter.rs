//! M5: the error for a payload of an unnamed type says to name it.

use queue_core::background_job;

#[background_job]
async fn ship(order: impl Into<String>) {
    let _: String = order.into();
}

fn main() {}
