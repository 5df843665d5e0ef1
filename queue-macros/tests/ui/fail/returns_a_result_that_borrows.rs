//! M5: a result that serde can't read back is an error at the return type.

use queue_core::background_job;

#[background_job]
async fn name(user: u32) -> Result<&'static str, std::io::Error> {
    let _ = user;
    Ok("ada")
}

fn main() {}
