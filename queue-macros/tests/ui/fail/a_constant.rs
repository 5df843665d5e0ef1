//! M5: a constant is told that it is no function.

use queue_core::background_job;

#[background_job]
const SHIP: u64 = 1;

fn main() {}
