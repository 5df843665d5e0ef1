//! M6: several mistakes are reported together, each at its span.

use queue_core::background_job;

#[background_job(queue = "my mail", timeout = "soon", retries = 3)]
fn ship<T>(order: &mut T, (a, b): (u8, u8)) {
    let _ = (order, a, b);
}

fn main() {}
