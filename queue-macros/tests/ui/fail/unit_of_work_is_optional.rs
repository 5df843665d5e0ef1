//! M5: the error for an optional unit of work says what to write.

use queue_core::background_job;

struct Tx;

#[background_job]
async fn ship(#[inject] tx: Option<&mut Tx>) {
    let _ = tx;
}

fn main() {}
