//! M5: a result of a value is an error at the type.

use queue_core::background_job;

#[background_job]
async fn count(items: Vec<u64>) -> Result<usize, std::io::Error> {
    Ok(items.len())
}

fn main() {}
