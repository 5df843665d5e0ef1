//! M5: a unit of work behind a trait is told to be a type.

use queue_core::background_job;

trait Tx: Send {}

#[background_job]
async fn ship(#[inject] tx: &mut dyn Tx) {
    let _ = tx;
}

fn main() {}
