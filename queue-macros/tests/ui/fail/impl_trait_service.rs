//! M5: a service of an unnamed type is told to name it.

use queue_core::background_job;

trait Mailer: Send + Sync {}

#[background_job]
async fn ship(#[inject] mailer: &impl Mailer) {
    let _ = mailer;
}

fn main() {}
