//! M5: a result that serde can't write is an error at the return type, which names the type and the derives that it needs.

use queue_core::background_job;

struct Report;

#[background_job]
async fn build(year: u32) -> Result<Report, std::io::Error> {
    let _ = year;
    Ok(Report)
}

fn main() {}
