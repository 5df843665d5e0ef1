//! M5: a function whose name can not be stored is told to give one.

use queue_core::background_job;

#[background_job()]
async fn größe() {}

fn main() {}
