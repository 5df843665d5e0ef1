//! M5: a cron expression that no date matches is refused.

use queue_core::background_job;

#[background_job(cron = "0 0 31 2 *")]
async fn report() {}

fn main() {}
