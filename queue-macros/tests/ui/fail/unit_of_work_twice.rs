//! M5: two `&mut` of one type are an error at the second.

use queue_core::background_job;

struct Tx;

#[background_job]
async fn ship(#[inject] tx: &mut Tx, #[inject("b")] other: &mut Tx, #[inject] again: &mut Tx) {
    let _ = (tx, other, again);
}

fn main() {}
