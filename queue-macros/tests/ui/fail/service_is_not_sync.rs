//! M5: a service that threads can not share is one error, at the type.

use queue_core::background_job;

trait Mailer {}

#[background_job]
async fn ship(#[inject] mailer: &dyn Mailer, order: u64) {
    let _ = (mailer, order);
}

fn main() {}
