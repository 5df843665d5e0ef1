//! M5: the error for a payload that holds references says what to write.

use queue_core::background_job;

#[background_job]
async fn ship(orders: &[&str], to: Vec<&[u8]>) {
    let _ = (orders, to);
}

fn main() {}
