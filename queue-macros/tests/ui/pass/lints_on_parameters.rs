//! M1: lints on parameters stay on the function.

use queue_core::background_job;

#[background_job]
async fn ship(#[allow(unused_variables, reason = "not yet")] order: u64) {}

fn main() {}
