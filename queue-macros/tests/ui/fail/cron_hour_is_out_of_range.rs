//! M5: the error for a wrong cron expression underlines the field and says what to write.

use queue_core::background_job;

#[background_job(cron = "0 25 * * *")]
async fn report() {}

fn main() {}
