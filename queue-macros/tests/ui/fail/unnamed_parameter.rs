//! M5: the error for `_` says to write a name.

use queue_core::background_job;

#[background_job]
async fn ship(_: u64) {}

fn main() {}
