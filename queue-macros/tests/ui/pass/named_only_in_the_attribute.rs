//! M4, M11: a parameter that only the attribute names counts as used.
#![deny(unused_variables)]

use queue_core::background_job;

#[background_job(partition = "{tenant}", unique = "{order}/{type:?}")]
async fn call(tenant: &str, order: u64, r#type: u8) {}

fn main() {}
