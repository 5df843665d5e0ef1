//! M5: the error for a conditional parameter says where the condition may be written.

use queue_core::background_job;

#[background_job]
async fn ship(order: u64, #[cfg(unix)] express: bool) {
    let _ = (order, express);
}

fn main() {}
