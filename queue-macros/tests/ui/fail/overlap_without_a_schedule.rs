//! M5: what belongs to a schedule needs one.

use queue_core::background_job;

#[background_job(overlap = "skip")]
async fn report() {}

fn main() {}
