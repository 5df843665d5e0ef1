//! M5: a conditional parameter is told where the condition may stand.

use queue_core::background_job;

#[background_job]
async fn ship(order: u64, #[cfg(unix)] express: bool) {
    let _ = (order, express);
}

fn main() {}
