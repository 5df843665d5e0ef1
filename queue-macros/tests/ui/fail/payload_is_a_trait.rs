//! M5: the error for a trait in the payload says that `inject` is missing.

use queue_core::background_job;

trait Mailer: Send + Sync {}

#[background_job]
async fn ship(mailer: &dyn Mailer, order: u64) {
    let _ = (mailer, order);
}

fn main() {}
