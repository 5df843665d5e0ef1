//! M5: an interval is at least a second.

use queue_core::background_job;

#[background_job(every = "10ms")]
async fn report() {}

fn main() {}
