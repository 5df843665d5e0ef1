//! M5: the error for a cron expression with a field missing lists the fields.

use queue_core::background_job;

#[background_job(cron = "0 2 * *")]
async fn report() {}

fn main() {}
