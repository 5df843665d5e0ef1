//! M11: the error for a partition that names no field suggests the nearest.

use queue_core::background_job;

#[background_job(partition = "{tennant}")]
async fn call(tenant: &str) {
    let _ = tenant;
}

fn main() {}
