//! The job that is a tick: it enqueues what is due, and the next tick.

use queue_core::{Event, JobContext, JobError, NewJob, QueueError, Timestamp, background_job};

use crate::due::{Due, SkippedTicks};
use crate::job_template::Json;
use crate::stored::StoredSchedule;

/// Performs a tick. The jobs that it enqueues, and the next tick, are stored together with its completion.
///
/// The payload is read here and not by the framework, so that a tick of a newer program is tried again, perhaps by that program.
#[background_job(name = "schedule.tick", max_attempts = 1_000_000_000, backoff = exponential("1s", "30s"))]
pub(crate) async fn tick(#[inject] context: &JobContext, schedule: Json) -> Result<(), JobError> {
    let stored = StoredSchedule::read(&schedule)?;
    let key = stored.key();
    let now = context.delivery().lease.claimed_at().unwrap_or(context.run_at());
    let decided = stored.decided(context.id(), context.pushed_at());
    let performed = perform(stored, decided, now)?;
    if let Some(SkippedTicks { count, first, last }) = performed.skipped {
        tracing::warn!(schedule = key, count, %first, %last, "ticks were too late and enqueued nothing");
        context.observe(|job| Event::TicksSkipped { job, schedule: key, count, first, last });
    }
    for job in performed.jobs {
        context.then(job);
    }
    Ok(())
}

/// The result of a tick.
struct Performed {
    jobs: Vec<NewJob>,
    skipped: Option<SkippedTicks>,
}

/// Decides on the ticks after `decided`, at `now` by the clock of the queue.
fn perform(stored: StoredSchedule, decided: Timestamp, now: Timestamp) -> Result<Performed, QueueError> {
    if stored.is_removed {
        return Ok(Performed { jobs: Vec::new(), skipped: None });
    }
    if stored.is_paused {
        return Ok(Performed { jobs: vec![stored.after(decided).tick()?], skipped: None });
    }
    let timetable = stored.timetable()?;
    let Due { ticks, skipped } = Due::at(now, decided, &timetable, &stored.recurrence);
    let count = skipped.map_or(0, |skipped| skipped.count);
    let mut jobs: Vec<_> = ticks.iter().map(|at| stored.job_at(*at, count)).collect();
    let last = ticks.last().copied().or(stored.last);
    let next = StoredSchedule { last, skipped: skipped.or(stored.skipped), ..stored.after(decided.max(now)) };
    // A schedule without another tick ends here.
    if timetable.next(decided.max(now)).is_some() {
        jobs.push(next.tick()?);
    }
    Ok(Performed { jobs, skipped })
}
