//! M5: jobs that are all made up for must be allowed to overlap.

use queue_core::background_job;

#[background_job(cron = "0 2 * * *", catch_up = "all")]
async fn report() {}

fn main() {}
