//! M5: the error for a payload that borrows says what to write.

use queue_core::background_job;

use std::borrow::Cow;

#[background_job]
async fn ship(order: Cow<'_, str>) {
    let _ = order;
}

fn main() {}
