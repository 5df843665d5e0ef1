//! A process that performs the ticks of a schedule, and runs its jobs.

use std::time::Duration;

use queue_conformance::load::stop_at_end_of_input;
use queue_core::{BoxError, CatchUp, Job as _, Overlap, background_job, jobs};
use queue_schedules::Schedules;
use queue_tokio::{Host, QueueService};

use crate::settings::Tick;

/// The job of the schedule.
#[background_job(name = "ticked")]
async fn ticked() {}

/// The name of the job.
pub(super) const JOB: &str = ticked::NAME;

/// Runs until the standard input closes.
pub(crate) async fn run(tick: &Tick) -> Result<(), BoxError> {
    let orphaned = stop_at_end_of_input();
    let queue = tick.location.open().await?;
    let schedules = Schedules::new("torture", queue.clone())
        .every("each-second", Duration::from_secs(1), ticked::new())
        .overlap(Overlap::Allow)
        .catch_up(CatchUp::All { at_most: CatchUp::MOST });
    let service = QueueService::new(queue, jobs![ticked]).lease(Duration::from_secs(2));
    let host = Host::builder().service(service).service(schedules).build()?;
    tokio::select! {
        stopped = host.run() => drop(stopped?),
        () = orphaned.cancelled() => {}
    }
    Ok(())
}
