//! M11: the error for an empty partition says what to write.

use queue_core::background_job;

#[background_job(partition = "")]
async fn call(tenant: &str) {
    let _ = tenant;
}

fn main() {}
