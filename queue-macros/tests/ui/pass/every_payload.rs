//! M3: every form of payload.

use queue_core::background_job;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

#[background_job]
async fn borrowed(a: &str, b: &[u8], c: &u64, d: &Path, e: Option<&str>, f: Option<&[u8]>, g: Option<&u64>, h: &'_ str) {
    let _ = (a, b, c, d, e, f, g, h);
}

#[background_job]
async fn owned(a: String, mut b: Vec<u8>, c: [u8; 4], d: (u8, String), e: HashMap<String, u8>, f: Cow<'static, str>, g: Option<()>) {
    b.clear();
    let _ = (a, b, c, d, e, f, g);
}

fn main() {}
