//! M5: the error for a function name that can't be stored says to set a name.

use queue_core::background_job;

#[background_job()]
async fn größe() {}

fn main() {}
