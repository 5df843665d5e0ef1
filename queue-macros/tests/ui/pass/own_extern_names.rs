//! M4: items named like the standard library's do no harm.

use queue_core::background_job;

mod std {}
mod core {}
struct String;
struct Vec;
struct Option;
struct Box;
type Result = u8;

#[background_job(timeout = "1s", unique = "{text}", backoff = fixed("1s"))]
async fn ship(text: &str, bytes: &[u8], #[inject] number: &u64) {
    let _ = (text, bytes, number);
}

fn main() {
    let _ = (String, Vec, Option, Box, 0 as Result);
    let _ = ship::new("a", [1]);
}
