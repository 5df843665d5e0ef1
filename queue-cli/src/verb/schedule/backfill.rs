//! `queue schedule backfill`: the jobs of earlier ticks.

use std::sync::Arc;

use clap::Args;
use queue_core::{Admin, Timestamp};
use serde::Serialize;

use super::name::ScheduleName;
use crate::exit::{Exit, Failure};
use crate::instant::absolute;
use crate::output::Output;

/// Enqueues the jobs of the ticks of a span that are not stored
#[derive(Args, Debug)]
pub(super) struct Backfill {
    /// The schedule, as GROUP/NAME
    schedule: ScheduleName,
    /// The beginning of the span: `2026-11-29T08:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = absolute)]
    from: Timestamp,
    /// The end of the span, which does not belong to it
    #[arg(long, value_name = "TIME", value_parser = absolute)]
    to: Timestamp,
}

/// The result of a backfill.
#[derive(Serialize)]
struct BackfillLine {
    schedule: String,
    ticks: usize,
}

impl Backfill {
    pub(super) async fn run(self, queue: &Arc<dyn Admin>, out: &mut Output) -> Result<Exit, Failure> {
        if self.to <= self.from {
            return Err(Failure::usage("the span is empty: --to must be later than --from"));
        }
        self.schedule.read(queue).await?;
        let ticks = self.schedule.group(queue).backfill(&self.schedule.name, self.from, self.to).await?;
        let schedule = self.schedule.to_string();
        let line = BackfillLine { schedule, ticks };
        out.sentence(
            &line,
            format_args!("enqueued the jobs of {} ticks, apart from those that are stored", line.ticks),
        )?;
        Ok(Exit::Done)
    }
}
