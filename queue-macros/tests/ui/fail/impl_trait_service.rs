//! M5: the error for a service of an unnamed type says to name it.

use queue_core::background_job;

trait Mailer: Send + Sync {}

#[background_job]
async fn ship(#[inject] mailer: &impl Mailer) {
    let _ = mailer;
}

fn main() {}
