//! M5: the error for an unknown word lists the known ones.

use queue_core::background_job;

#[background_job(cron = "0 2 * * *", overlap = "cancel")]
async fn report() {}

fn main() {}
