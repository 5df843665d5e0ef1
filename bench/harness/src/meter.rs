//! Measures a run: wall-clock time, CPU time, and the usage of the server if there is one.

use std::time::{Duration, Instant};

use crate::database::Database;
use crate::figures::{Figures, Metric};
use crate::scratch::Scratch;
use crate::usage;

/// The readings at the start of a run.
#[derive(Debug)]
pub(crate) struct Meter<'scratch> {
    served: Option<Served<'scratch>>,
    cpu: Duration,
    start: Instant,
}

#[derive(Debug)]
struct Served<'scratch> {
    database: &'scratch Database,
    cpu: Duration,
    logged: u64,
}

impl<'scratch> Meter<'scratch> {
    /// Starts measuring.
    pub(crate) async fn start(scratch: &'scratch Scratch) -> anyhow::Result<Self> {
        let served = match scratch.served() {
            Some(database) => {
                let logged = database.logged().await?;
                Some(Served { database, cpu: database.server().cpu()?, logged })
            }
            None => None,
        };
        Ok(Self { served, cpu: usage::cpu()?, start: Instant::now() })
    }

    /// Returns the figures of `jobs` jobs.
    pub(crate) async fn stop(self, jobs: u64) -> anyhow::Result<Figures> {
        let figures = Figures::of_run(jobs, self.start.elapsed(), usage::cpu()? - self.cpu);
        let Some(served) = self.served else { return Ok(figures) };
        let cpu = served.database.server().cpu()?.saturating_sub(served.cpu);
        let logged = served.database.logged().await?.saturating_sub(served.logged);
        Ok(figures
            .with(Metric::ServerCpu, cpu.as_secs_f64() * 100_000.0 / jobs as f64)
            .with(Metric::Logged, logged as f64 / jobs as f64))
    }
}
