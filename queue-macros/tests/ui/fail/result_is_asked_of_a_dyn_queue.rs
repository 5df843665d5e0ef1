//! A handle asks an `Admin` for the result of its job, and a `dyn Queue` is none.

use std::time::Duration;

use queue_core::{JobHandle, Queue, background_job};

#[background_job]
async fn build(year: u16) -> Result<u16, String> {
    Ok(year)
}

async fn ask(queue: &dyn Queue, report: JobHandle<build>) {
    drop(report.ended(queue, Duration::ZERO).await);
}

fn main() {}
