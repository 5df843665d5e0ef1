//! M5: a named lifetime is told to be left out.

use queue_core::background_job;

#[background_job]
async fn ship<'a>(order: &'a str, to: std::borrow::Cow<'a, str>) {
    let _ = (order, to);
}

fn main() {}
