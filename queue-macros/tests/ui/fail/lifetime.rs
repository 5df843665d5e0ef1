//! M5: the error for a named lifetime says to remove it.

use queue_core::background_job;

#[background_job]
async fn ship<'a>(order: &'a str, to: std::borrow::Cow<'a, str>) {
    let _ = (order, to);
}

fn main() {}
