//! M5: the error for a constant says that it is not a function.

use queue_core::background_job;

#[background_job]
const SHIP: u64 = 1;

fn main() {}
