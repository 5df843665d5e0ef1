//! M5: an interval has no time zone.

use queue_core::background_job;

#[background_job(every = "1h", zone = "Europe/Berlin")]
async fn report() {}

fn main() {}
