//! A schedule as a verb prints it.

use console::Style;
use queue_core::{CatchUp, JobId, JobName, Overlap, State, Timing};
use queue_schedules::{ScheduleRecord, TickRun};
use serde::Serialize;

use crate::output::{Cell, Record, Rfc3339, Times};

/// A schedule in JSON, and as a row of a list. `docs/cli.md` documents its fields.
#[derive(Serialize)]
pub(super) struct ScheduleLine<'a> {
    schedule: String,
    job: &'a JobName,
    queue: &'a str,
    when: &'a str,
    cron: Option<&'a str>,
    every_seconds: Option<f64>,
    zone: Option<&'a str>,
    overlap: &'static str,
    catch_up: &'static str,
    at_most: Option<u32>,
    grace_seconds: Option<f64>,
    within_seconds: Option<f64>,
    declared: bool,
    revision: u64,
    paused: bool,
    next: Vec<Rfc3339>,
    last: Option<RunLine>,
    skipped: Option<SkippedLine>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    recent: Vec<RunLine>,
}

/// A tick, and what became of its job.
#[derive(Serialize)]
struct RunLine {
    at: Rfc3339,
    job: JobId,
    /// `None` if the job is not kept, or was not stored.
    state: Option<State>,
}

/// Ticks that were too late.
#[derive(Serialize)]
struct SkippedLine {
    count: u64,
    first: Rfc3339,
    last: Rfc3339,
}

impl RunLine {
    fn new(run: &TickRun) -> Self {
        Self { at: Rfc3339(run.at), job: run.job, state: run.state }
    }

    fn state(&self) -> Cell {
        match self.state {
            Some(state) => Cell::state(state),
            None => Cell::text("no job").style(Style::new().dim()),
        }
    }
}

impl<'a> ScheduleLine<'a> {
    /// Creates the line of a schedule with its next `count` ticks.
    pub(super) fn new(schedule: &'a ScheduleRecord, count: usize, recent: &[TickRun]) -> Self {
        let recurrence = &schedule.recurrence;
        let (cron, every) = match &recurrence.timing {
            Timing::Cron(expression) => (Some(&**expression), None),
            Timing::Every { interval, .. } => (None, Some(interval.as_secs_f64())),
            _ => (None, None),
        };
        let (catch_up, at_most, grace_seconds) = match recurrence.catch_up {
            CatchUp::Latest => ("latest", None, None),
            CatchUp::All { at_most } => ("all", Some(at_most), None),
            CatchUp::Skip { grace } => ("skip", None, Some(grace.as_secs_f64())),
            _ => ("other", None, None),
        };
        Self {
            schedule: format!("{}/{}", schedule.group, schedule.name),
            job: &schedule.job,
            queue: schedule.queue.as_str(),
            when: schedule.words(),
            cron,
            every_seconds: every,
            zone: recurrence.zone.as_deref(),
            overlap: overlap(recurrence.overlap),
            catch_up,
            at_most,
            grace_seconds,
            within_seconds: recurrence.within.map(|within| within.as_secs_f64()),
            declared: schedule.is_declared,
            revision: schedule.revision,
            paused: schedule.is_paused,
            // A paused schedule has no next tick.
            next: if schedule.is_paused {
                Vec::new()
            } else {
                schedule.next(count).into_iter().map(Rfc3339).collect()
            },
            last: schedule.last.as_ref().map(RunLine::new),
            skipped: schedule.skipped.map(|skipped| SkippedLine {
                count: skipped.count,
                first: Rfc3339(skipped.first),
                last: Rfc3339(skipped.last),
            }),
            recent: recent.iter().map(RunLine::new).collect(),
        }
    }

    fn paused(&self) -> Cell {
        if self.paused {
            Cell::text("paused").style(Style::new().yellow())
        } else {
            Cell::text(if self.declared { "declared" } else { "put" })
        }
    }

    /// Returns all fields that have a value, each with its name.
    pub(super) fn fields(&self, times: Times) -> Vec<(String, Cell)> {
        let text = |name: &str, text: Option<&str>| text.map(|text| (name.to_owned(), Cell::text(text)));
        let named = |name: &str, cell: Cell| Some((name.to_owned(), cell));
        let skipped = self.skipped.as_ref().map(|skipped| {
            let last = times.show(skipped.last.0);
            ("skipped".to_owned(), Cell::text(format!("{}, the last {last}", skipped.count)))
        });
        let fields = [
            named("schedule", Cell::text(&self.schedule)),
            named("job", Cell::text(self.job)),
            named("queue", Cell::text(self.queue)),
            named("when", Cell::text(self.when)),
            text("cron", self.cron),
            text("overlap", Some(self.overlap)),
            text("catch up", Some(self.catch_up)),
            named("state", self.paused()),
            named("revision", Cell::text(self.revision)),
            skipped,
        ];
        let next = self.next.iter().map(|at| ("next".to_owned(), Cell::time(at.0, times)));
        let recent = self.recent.iter().rev().map(|run| {
            let text = format!("{} {} {}", times.show(run.at.0), run.state(), run.job);
            ("tick".to_owned(), Cell::text(text))
        });
        fields.into_iter().flatten().chain(next).chain(recent).collect()
    }
}

const fn overlap(overlap: Overlap) -> &'static str {
    match overlap {
        Overlap::Skip => "skip",
        Overlap::Follow => "follow",
        _ => "allow",
    }
}

impl Record for ScheduleLine<'_> {
    const HEADERS: &'static [&'static str] = &["SCHEDULE", "STATE", "JOB", "NEXT", "LAST", "OUTCOME", "WHEN"];

    fn cells(&self, times: Times) -> Vec<Cell> {
        let time = |at: Option<Rfc3339>| at.map_or_else(|| Cell::text(""), |at| Cell::time(at.0, times));
        vec![
            Cell::text(&self.schedule),
            self.paused(),
            Cell::text(self.job),
            time(self.next.first().copied()),
            time(self.last.as_ref().map(|run| run.at)),
            self.last.as_ref().map_or_else(|| Cell::text(""), RunLine::state),
            Cell::text(self.when),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use queue_core::{background_job, jobs};
    use queue_schedules::Schedules;
    use queue_testkit::TestKit;
    use serde_json::json;

    use super::*;

    #[background_job]
    async fn sync() {}

    #[test]
    fn a_line_has_what_became_of_the_last_ticks() {
        let kit = TestKit::new(jobs![sync].and(Schedules::ticks())).build().unwrap();
        let hour = Duration::from_secs(3_600);
        let schedules = Schedules::new("shop", kit.queue().clone());
        let (schedule, recent) = queue_testkit::block_on(async {
            schedules.clone().every("hourly", hour, sync::new()).apply().await?;
            kit.run_for(2 * hour).await?;
            let schedule = schedules.list().await?;
            let recent = schedules.recent(&schedule, 3).await?.concat();
            Ok::<_, queue_core::BoxError>((schedule, recent))
        })
        .unwrap();

        let line = ScheduleLine::new(&schedule[0], 1, &recent);

        let value = serde_json::to_value(&line).unwrap();
        assert_eq!((&value["schedule"], &value["when"]), (&json!("shop/hourly"), &json!("every hour")));
        assert_eq!(value["last"]["state"], "completed");
        assert_eq!(value["last"], value["recent"][2]);
        assert_eq!(value["recent"][0]["state"], json!(null), "there was no schedule yet");
        let cells = line.cells(Times::Absolute);
        let texts: Vec<_> = cells.iter().map(|cell| cell.text.as_str()).collect();
        assert_eq!((texts[1], texts[5], texts[6]), ("declared", "completed", "every hour"));
        assert_eq!(texts.len(), ScheduleLine::HEADERS.len());
    }
}
