//! M4: a job may return `()`, or a result of any type that serde writes and reads.
#![deny(warnings, missing_docs, clippy::pedantic)]

use queue_core::{Job, JobError, background_job};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Report {
    pages: u32,
}

type Outcome<T> = Result<T, std::io::Error>;

#[background_job]
async fn nothing() {}

#[background_job]
async fn unit() -> Result<(), JobError> {
    Ok(())
}

#[background_job]
async fn number(items: Vec<u64>) -> Result<usize, JobError> {
    Ok(items.len())
}

#[background_job]
async fn own() -> Result<Report, String> {
    Ok(Report { pages: 3 })
}

#[background_job(blocking)]
fn by_an_alias(found: bool) -> Outcome<Option<(String, f64)>> {
    Ok(found.then(|| ("a".to_owned(), 0.5)))
}

fn is<J: Job<Output = T>, T>() {}

fn main() {
    is::<nothing, ()>();
    is::<unit, ()>();
    is::<number, usize>();
    is::<own, Report>();
    is::<by_an_alias, Option<(String, f64)>>();
    drop(own());
    let _ = Report { pages: 1 }.pages;
}
