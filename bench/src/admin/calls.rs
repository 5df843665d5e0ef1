//! The operator's calls, and how long they take.

use std::time::Instant;

use harness::Series;
use queue_core::admin::{Filter, PageRequest, Sort};
use queue_core::{Admin, State};

use super::fill::SMALL;

/// The number of times that each call is made; a tenth as many go ahead and do not count.
const REPEATED: usize = 200;
/// The number of jobs in a page.
const PAGE: usize = 50;

/// The names of the calls.
pub(crate) const CALLS: [&str; 3] = ["newest 50 discarded of a queue", "newest 50 of all jobs", "summary"];

/// A call, on an empty store and on a filled one.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) empty: Times,
    pub(crate) filled: Times,
}

/// The times of a call, in microseconds.
#[derive(Debug)]
pub(crate) struct Times(Series);

impl Times {
    /// Returns the median.
    pub(crate) fn median(&self) -> f64 {
        self.0.median()
    }

    /// Returns the 99th percentile.
    pub(crate) fn p99(&self) -> f64 {
        self.0.quantile(0.99)
    }
}

/// Times each call, many times.
pub(super) async fn measure(queue: &impl Admin) -> anyhow::Result<[Times; CALLS.len()]> {
    let discarded = Filter::all().queue(SMALL).state(State::Discarded);
    let page = PageRequest::first(PAGE).newest();
    Ok([
        timed(async || queue.list(&discarded, &page.clone().sort(Sort::Finished)).await.map(drop)).await?,
        timed(async || queue.list(&Filter::all(), &page).await.map(drop)).await?,
        timed(async || queue.summary().await.map(drop)).await?,
    ])
}

async fn timed<E>(call: impl AsyncFn() -> Result<(), E>) -> anyhow::Result<Times>
where
    anyhow::Error: From<E>,
{
    let mut micros = Vec::with_capacity(REPEATED);
    for number in 0..REPEATED + REPEATED / 10 {
        let start = Instant::now();
        call().await?;
        if number >= REPEATED / 10 {
            micros.push(start.elapsed().as_secs_f64() * 1e6);
        }
    }
    Series::new(micros).map(Times).ok_or_else(|| anyhow::anyhow!("no call was made"))
}
