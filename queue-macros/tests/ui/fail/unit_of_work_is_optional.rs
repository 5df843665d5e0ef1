//! M5: an optional unit of work is told what there is.

use queue_core::background_job;

struct Tx;

#[background_job]
async fn ship(#[inject] tx: Option<&mut Tx>) {
    let _ = tx;
}

fn main() {}
