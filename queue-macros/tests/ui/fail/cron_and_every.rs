//! M5: a job has one kind of schedule.

use queue_core::background_job;

#[background_job(cron = "0 2 * * *", every = "1h")]
async fn report() {}

fn main() {}
