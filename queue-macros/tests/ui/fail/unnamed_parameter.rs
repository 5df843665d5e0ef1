//! M5: `_` is told to be a name.

use queue_core::background_job;

#[background_job]
async fn ship(_: u64) {}

fn main() {}
