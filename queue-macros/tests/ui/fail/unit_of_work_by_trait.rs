//! M5: the error for a unit of work behind a trait says to write its type.

use queue_core::background_job;

trait Tx: Send {}

#[background_job]
async fn ship(#[inject] tx: &mut dyn Tx) {
    let _ = tx;
}

fn main() {}
